"""Sockets and addresses: listening, connecting, pipes, and what may be reached."""
