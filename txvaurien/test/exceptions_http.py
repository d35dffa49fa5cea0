"""What HTTP clients make of each kind of error and of each fault. A table of the docs is made of it."""

from __future__ import annotations

from collections.abc import Sequence

REQUESTS = "requests"
HTTPX = "httpx"
URLLIB = "urllib.request"
CURL = "curl"

#: How each client is asked to make an exception of a status code.
HOW = {
    REQUESTS: "raise_for_status()",
    HTTPX: "raise_for_status()",
    URLLIB: "urlopen()",
    CURL: "--fail",
}

#: What a status code from 400 to 599 becomes.
OF_A_STATUS = {
    REQUESTS: "requests.exceptions.HTTPError",
    HTTPX: "httpx.HTTPStatusError",
    URLLIB: "urllib.error.HTTPError",
    CURL: "exit status 22",
}

#: What becomes of faults below the message, with the behavior and its options as they are written.
OF_A_FAULT = {
    "truncate": {
        REQUESTS: "requests.exceptions.ChunkedEncodingError",
        HTTPX: "httpx.RemoteProtocolError",
        URLLIB: "http.client.IncompleteRead",
        CURL: "exit status 18",
    },
    "truncate reset=true": {
        REQUESTS: "requests.exceptions.ChunkedEncodingError",
        HTTPX: "httpx.ReadError",
        URLLIB: "builtins.ConnectionResetError",
        CURL: "exit status 56",
    },
    "abort": {
        REQUESTS: "requests.exceptions.ConnectionError",
        HTTPX: "httpx.RemoteProtocolError",
        URLLIB: "http.client.RemoteDisconnected",
        CURL: "exit status 52",
    },
    "hang": {
        REQUESTS: "requests.exceptions.ReadTimeout",
        HTTPX: "httpx.ReadTimeout",
        URLLIB: "builtins.TimeoutError",
        CURL: "exit status 28",
    },
    "error garbage=true": {
        REQUESTS: "requests.exceptions.ConnectionError",
        HTTPX: "httpx.RemoteProtocolError",
        URLLIB: "http.client.BadStatusLine",
        CURL: "exit status 1",
    },
}

KINDS = ("400", "401", "403", "404", "408", "409", "413", "429", "500", "501", "502", "503", "504")

#: (kind or behavior, client, how it is asked, what it raises).
EXPECTED: Sequence[tuple[str, str, str, str]] = (
    *((kind, name, HOW[name], raised) for kind in KINDS for name, raised in OF_A_STATUS.items()),
    *(
        (fault, name, HOW[name], raised)
        for fault, each in OF_A_FAULT.items()
        for name, raised in each.items()
    ),
)
