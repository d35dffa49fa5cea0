"""TLS between the link and the socket: engines, pipes, certificates."""
