"""A client: ``python ask.py 10024 alice bob`` asks for both at once, and prints what is answered."""

from __future__ import annotations

import socket
import sys


def ask(port: int, *keys: str) -> list[str]:
    """The replies, fewer than keys where the connection ends before."""
    with socket.create_connection(("localhost", port), timeout=60) as connection:
        connection.sendall("".join(f"get {key}\n" for key in keys).encode())
        with connection.makefile("r", encoding="ascii") as replies:
            return [line for _, line in zip(keys, replies, strict=False)]


if __name__ == "__main__":
    print("".join(ask(int(sys.argv[1]), *sys.argv[2:])), end="")
