"""The configuration that nginx needs to run in the foreground, from a folder of its own."""

from __future__ import annotations

import getpass
import os
import resource
from pathlib import Path


def nginx_conf(folder: Path, inner: str, modules: str = "") -> Path:
    """Write nginx.conf, with `inner` as its http or stream block, and return its path."""
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"{modules} {user} daemon off; worker_processes auto;\n"
        f"pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections {most}; }}\n{inner}\n"
    )
    return conf
