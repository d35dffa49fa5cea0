"""The proxies that are compared, by name."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.backends import ROOT
from bench.nginx import nginx_conf
from bench.process import HOST, Missing, Process, free_port, tool
from bench.stats import DIRECT

#: What a mode of ours adds to the command line. ``{protocol}`` is the row's, ``{folder}`` the process's,
#: ``{port}`` one that is free.
MODES: Mapping[str, str] = {
    "tcp": "--protocol tcp",
    "busy": "--protocol tcp --busy-poll 100",
    "workers": "--protocol tcp --workers 2",
    "framed": "--protocol {protocol}",
    "framed-busy": "--protocol {protocol} --busy-poll 100",
    "framed-workers": "--protocol {protocol} --workers 2",
    "journal": "--protocol {protocol} --journal {folder}/journal",
    "control": "--protocol {protocol} --http --http-port {port}",
    "metrics": "--protocol {protocol} --http --http-port {port} --metrics",
    "delay5": "--protocol {protocol} --behavior 5:delay --behavior-delay-sleep 0.02",
}

#: A toxic a mode, with attributes that leave the stream whole, so that what is measured is its cost. Those
#: that lose or stop what passes (blackhole, pause, reset_peer, timeout) have nothing to be measured by.
TOXICS: Mapping[str, str] = {
    "latency": "latency latency=1",
    "bandwidth": "bandwidth rate=100000000",
    "slicer": "slicer average_size=65536 size_variation=1024",
    "limit-data": "limit_data bytes=9000000000000000",
    "corrupt": "corrupt rate=0.000001",
    "slow-close": "slow_close delay=10",
}

PEERS = ("haproxy", "nginx", "socat", "portforward", "toxiproxy")

_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Tree:
    """A folder that has the package, to be put on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @cached_property
    def options(self) -> frozenset[str]:
        """The options that its command knows.

        :raises Missing: it does not run.
        """
        command = [sys.executable, "-m", "txvaurien", "--help"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, check=False
        )
        if done.returncode:
            raise Missing(f"{self.folder} does not run: {done.stderr.decode(errors='replace')[-500:]}")
        return frozenset(re.findall(r"--[a-z0-9-]+", done.stdout.decode()))

    @property
    def environment(self) -> dict[str, str]:
        """The environment to run it in."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}


@dataclass(frozen=True)
class Setting:
    """What there is to be measured: trees of ours, and a binary of Toxiproxy."""

    #: By name: ``ours``, ``ours2``.
    trees: Mapping[str, Tree]
    toxiproxy: str = ""


def names_for(wanted: Sequence[str], setting: Setting) -> list[str]:
    """The proxies that `wanted` stands for: a mode of ours becomes one of each tree."""
    found: list[str] = []
    for name in wanted:
        tree, _, mode = name.partition("-")
        found.extend([f"{each}-{mode}" for each in setting.trees] if tree == "ours" else [name])
    return list(dict.fromkeys(found))


def check(name: str, setting: Setting) -> None:
    """See that there can be a proxy of that name.

    :raises ValueError: there is no such proxy.
    """
    tree, _, mode = name.partition("-")
    if tree in setting.trees:
        if mode not in MODES and mode not in TOXICS:
            raise ValueError(
                f"there is no mode {mode!r} of ours; the modes are: {', '.join([*MODES, *TOXICS])}"
            )
    elif name != DIRECT and name not in PEERS:
        known = [DIRECT, *PEERS, *(f"{tree}-MODE" for tree in setting.trees)]
        raise ValueError(f"there is no proxy {name!r}; the proxies are: {', '.join(known)}")


def proxy(name: str, backend: int, protocol: str, setting: Setting) -> Process:
    """The proxy called `name`, not yet started, before the backend at this port.

    :param protocol: what the framed modes of ours are told to speak.
    :raises Missing: a program or an option that it needs is not there.
    """
    tree, _, mode = name.partition("-")
    if tree in setting.trees:
        return _ours(setting.trees[tree], mode, backend, protocol)
    if name == "toxiproxy":
        return _toxiproxy(setting.toxiproxy, backend)
    return _PEERS[name](backend)


def _ours(tree: Tree, mode: str, backend: int, protocol: str) -> Process:
    made = Process()
    template = MODES[mode] if mode in MODES else MODES["tcp"]
    words = template.format(protocol=protocol, folder=made.folder, port=free_port()).split()
    if mode in TOXICS:
        words += ["--toxic", TOXICS[mode]]
    unknown = [word for word in words if word.startswith("--") and word not in tree.options]
    if unknown:
        raise Missing(f"{tree.folder} does not know {unknown[0]}")
    where = ["--proxy", f"{HOST}:{made.port}", "--backend", f"{HOST}:{backend}", "--log-level", "warning"]
    made.command = [sys.executable, "-m", "txvaurien", *where, *words]
    made.env = tree.environment
    return made


def _haproxy(backend: int) -> Process:
    made = Process()
    links = min(12_000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100) // 2)
    conf = made.folder / "haproxy.cfg"
    conf.write_text(
        f"global\n  maxconn {links}\n"
        f"defaults\n  mode tcp\n  maxconn {links}\n  backlog 4096\n"
        "  timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n"
        f"listen bench\n  bind {HOST}:{made.port}\n  server backend {HOST}:{backend}\n"
    )
    made.command = [tool("haproxy", "haproxy"), "-db", "-f", str(conf)]
    return made


def _nginx(backend: int) -> Process:
    made = Process()
    program = tool("nginx", "nginx-light")
    if not _STREAM_MODULE.exists():
        raise Missing("nginx has no stream module: apt-get install libnginx-mod-stream")
    timeouts = "proxy_timeout 1h; access_log off;"
    server = f"server {{ listen {HOST}:{made.port} backlog=4096; proxy_pass {HOST}:{backend}; {timeouts} }}"
    conf = nginx_conf(made.folder, f"stream {{ {server} }}", f"load_module {_STREAM_MODULE};")
    made.command = [program, "-c", str(conf), "-p", str(made.folder)]
    return made


def _socat(backend: int) -> Process:
    made = Process()
    listen = f"TCP-LISTEN:{made.port},bind={HOST},fork,reuseaddr,backlog=4096"
    made.command = [tool("socat", "socat"), listen, f"TCP:{HOST}:{backend}"]
    return made


def _portforward(backend: int) -> Process:
    made = Process()
    made.command = [sys.executable, "-m", "bench.portforward", str(made.port), str(backend)]
    made.env = {"PYTHONPATH": str(ROOT)}
    return made


def _toxiproxy(binary: str, backend: int) -> Process:
    if not binary:
        raise Missing("no Toxiproxy: set TOXIPROXY=/path/to/toxiproxy-server, a binary of its releases")
    made = Process()
    one = {
        "name": "bench",
        "listen": f"{HOST}:{made.port}",
        "upstream": f"{HOST}:{backend}",
        "enabled": True,
    }
    conf = made.folder / "toxiproxy.json"
    conf.write_text(json.dumps([one]))
    control = ["-host", HOST, "-port", str(free_port())]
    made.command = [tool(binary, "(none has it)"), *control, "-config", str(conf)]
    return made


_PEERS: Mapping[str, Callable[[int], Process]] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
    "socat": _socat,
    "portforward": _portforward,
}
