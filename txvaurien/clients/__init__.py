"""Clients of the control server, blocking and for Twisted (`txvaurien.client`), and their vocabulary."""
