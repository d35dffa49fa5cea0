"""The HTTP servers of the second tier: nginx, and Python's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from txvaurien.test.servers import ServerProcess, free_port, require

NGINX = """\
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
{user}
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 200m;
    limit_req_zone $binary_remote_addr zone=one:64k rate=1r/m;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{http2} http2;
        root {folder}/www;
        location /dav/ {{ dav_methods PUT DELETE; create_full_put_path on; }}
        location /small {{ client_max_body_size 10; proxy_pass http://127.0.0.1:1; }}
        location /secret {{ auth_basic "secret"; auth_basic_user_file {folder}/none; }}
        location /busy {{ limit_req zone=one; limit_req_status 429; try_files /index.html =404; }}
        location /host {{ return 200 "$host $http_host"; }}
        location /down {{ proxy_pass http://127.0.0.1:1; }}
        location /zip {{ gzip on; gzip_types *; gzip_min_length 1; try_files /large =404; }}
        {codes}
    }}
}}
"""


class PythonServer(ServerProcess):
    """The server of `txvaurien.test.http_app`."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "txvaurien.test.http_app", str(self.port)]


class NginxServer(ServerProcess):
    """nginx with a page of five bytes, a file of 100 MB and one of 1 GB, and PUT below /dav/."""

    large = 100_000_000
    huge = 1 << 30
    #: What it says below /code/.
    codes = (400, 403, 404, 409, 500, 501, 503, 504)

    def __init__(self) -> None:
        super().__init__()
        #: The port for HTTP/2 with prior knowledge.
        self.http2 = free_port()

    def command(self) -> Sequence[str]:
        program = require("nginx", "nginx-light")
        return [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]

    def start(self) -> None:
        self.command()
        pages = self.folder / "www" / "dav"
        pages.mkdir(parents=True, exist_ok=True)
        (pages.parent / "index.html").write_bytes(b"hello")
        for name, size in (("large", self.large), ("huge", self.huge)):
            # A file with a hole: it costs no disk, and reads as zeros.
            with open(pages.parent / name, "wb") as file:
                file.truncate(size)
        self._configure()
        super().start()

    def _configure(self) -> None:
        # Workers of a master that root starts are somebody else, who could not enter the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        codes = " ".join(f"location /code/{code} {{ return {code}; }}" for code in self.codes)
        places = {"folder": self.folder, "port": self.port, "http2": self.http2}
        text = NGINX.format(**places, user=user, codes=codes)
        (self.folder / "nginx.conf").write_text(text)
