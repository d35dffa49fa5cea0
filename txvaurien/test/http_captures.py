"""What real clients and servers said to each other, as it went over the wire."""

from __future__ import annotations

from collections.abc import Mapping

from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation

CAPTURES: Mapping[str, Conversation] = {
    "curl, nginx, three on a connection": (
        (
            TO_BACKEND,
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:41091\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: nginx/1.22.1\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:02 GMT\r\n"
            b"Content-Type: text/html\r\n"
            b"Content-Length: 5\r\n"
            b"Last-Modified: Sat, 21 Nov 2026 04:08:02 GMT\r\n"
            b"Connection: keep-alive\r\n"
            b'ETag: "6b011922-5"\r\n'
            b"Accept-Ranges: bytes\r\n"
            b"\r\n"
            b"hello",
        ),
        (
            TO_BACKEND,
            b"GET /none HTTP/1.1\r\nHost: 127.0.0.1:41091\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 404 Not Found\r\n"
            b"Server: nginx/1.22.1\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:02 GMT\r\n"
            b"Content-Type: text/html\r\n"
            b"Content-Length: 153\r\n"
            b"Connection: keep-alive\r\n"
            b"\r\n"
            b"<html>\r\n"
            b"<head><title>404 Not Found</title></head>\r\n"
            b"<body>\r\n"
            b"<center><h1>404 Not Found</h1></center>\r\n"
            b"<hr><center>nginx/1.22.1</center>\r\n"
            b"</body>\r\n"
            b"</html>\r\n",
        ),
        (
            TO_BACKEND,
            b"GET /index.html HTTP/1.1\r\n"
            b"Host: 127.0.0.1:41091\r\n"
            b"User-Agent: curl/7.88.1\r\n"
            b"Accept: */*\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: nginx/1.22.1\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:02 GMT\r\n"
            b"Content-Type: text/html\r\n"
            b"Content-Length: 5\r\n"
            b"Last-Modified: Sat, 21 Nov 2026 04:08:02 GMT\r\n"
            b"Connection: keep-alive\r\n"
            b'ETag: "6b011922-5"\r\n'
            b"Accept-Ranges: bytes\r\n"
            b"\r\n"
            b"hello",
        ),
        (TO_BACKEND, b""),
        (TO_CLIENT, b""),
    ),
    "curl, nginx, upload that waits for 100 Continue": (
        (
            TO_BACKEND,
            b"PUT /dav/a HTTP/1.1\r\n"
            b"Host: 127.0.0.1:46705\r\n"
            b"User-Agent: curl/7.88.1\r\n"
            b"Accept: */*\r\n"
            b"Expect: 100-continue\r\n"
            b"Content-Length: 11\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"\r\n",
        ),
        (TO_CLIENT, b"HTTP/1.1 100 Continue\r\n\r\n"),
        (TO_BACKEND, b"hello world"),
        (
            TO_CLIENT,
            b"HTTP/1.1 201 Created\r\n"
            b"Server: nginx/1.22.1\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:02 GMT\r\n"
            b"Content-Length: 0\r\n"
            b"Location: http://127.0.0.1:52893/dav/a\r\n"
            b"Connection: keep-alive\r\n"
            b"\r\n",
        ),
        (TO_BACKEND, b""),
        (TO_CLIENT, b""),
    ),
    "curl, Python, chunks with trailers": (
        (
            TO_BACKEND,
            b"POST /chunks/300 HTTP/1.1\r\n"
            b"Host: 127.0.0.1:34949\r\n"
            b"User-Agent: curl/7.88.1\r\n"
            b"Accept: */*\r\n"
            b"Transfer-Encoding: chunked\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"\r\n"
            b"9\r\n"
            b"some body\r\n"
            b"0\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"Transfer-Encoding: chunked\r\n"
            b"Trailer: X-Size\r\n"
            b"\r\n"
            b"12c;part=1\r\n"
            b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n"
            b"\x0b\x0c\r"
            b"\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\"#$%&'()*+"
            b",-./0123456789:;<=>?@ABCDEFGHI"
            b"JKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f\x80\x81\x82\x83\x84\x85"
            b"\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2\xa3"
            b"\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1"
            b"\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"
            b"\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd"
            b"\xfe\xff\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n"
            b"\x0b\x0c\r"
            b"\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d"
            b"\x1e\x1f !\"#$%&'()*+\r\n"
            b"0\r\n"
            b"X-Size: 300\r\n"
            b"\r\n"
            b"<!DOCTYPE HTML>\n"
            b'<html lang="en">\n'
            b"    <head>\n"
            b'        <meta charset="utf-8">\n'
            b"        <title>Error response</title>\n"
            b"    </head>\n"
            b"    <body>\n"
            b"        <h1>Error response</h1>\n"
            b"        <p>Error code: 400</p>\n"
            b"        <p>Message: Bad request syntax ('9').</p>\n"
            b"        <p>Error code explanation: 400 - Bad request syntax "
            b"or unsupported method.</p>\n"
            b"    </body>\n"
            b"</html>\n",
        ),
        (TO_BACKEND, b""),
        (TO_CLIENT, b""),
    ),
    "curl, Python, HTTP/1.0 until the end": (
        (
            TO_BACKEND,
            b"GET /close/300 HTTP/1.0\r\n"
            b"Host: 127.0.0.1:36611\r\n"
            b"User-Agent: curl/7.88.1\r\n"
            b"Accept: */*\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n"
            b"\x0b\x0c\r"
            b"\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\"#$%&'()*+"
            b",-./0123456789:;<=>?@ABCDEFGHI"
            b"JKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f\x80\x81\x82\x83\x84\x85"
            b"\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2\xa3"
            b"\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1"
            b"\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"
            b"\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd"
            b"\xfe\xff\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n"
            b"\x0b\x0c\r"
            b"\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c"
            b"\x1d\x1e\x1f !\"#$%&'()*+",
        ),
        (TO_CLIENT, b""),
        (TO_BACKEND, b""),
    ),
    "requests, Python": (
        (
            TO_BACKEND,
            b"POST /echo HTTP/1.1\r\n"
            b"Host: 127.0.0.1:35603\r\n"
            b"User-Agent: python-requests/2.34.2\r\n"
            b"Accept-Encoding: gzip, deflate\r\n"
            b"Accept: */*\r\n"
            b"Connection: keep-alive\r\n"
            b"Content-Length: 8\r\n"
            b"Content-Type: application/json\r\n"
            b"\r\n"
            b'{"a": 1}',
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"Content-Length: 357\r\n"
            b"Content-Type: application/json\r\n"
            b"\r\n"
            b'{"method": "POST", "path": "/echo", "fields": [["accept", "*'
            b'/*"], ["accept-encoding", "gzip, deflate"], ["connection", "'
            b'keep-alive"], ["content-length", "8"], ["content-type", "app'
            b'lication/json"], ["host", "127.0.0.1:35603"], ["user-agent",'
            b' "python-requests/2.34.2"]], "size": 8, "digest": "f9d86028c'
            b'6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310"}',
        ),
        (
            TO_BACKEND,
            b"HEAD /bytes/99 HTTP/1.1\r\n"
            b"Host: 127.0.0.1:35603\r\n"
            b"User-Agent: python-requests/2.34.2\r\n"
            b"Accept-Encoding: gzip, deflate\r\n"
            b"Accept: */*\r\n"
            b"Connection: keep-alive\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"Content-Length: 99\r\n"
            b"\r\n",
        ),
        (
            TO_BACKEND,
            b"GET /status/204 HTTP/1.1\r\n"
            b"Host: 127.0.0.1:35603\r\n"
            b"User-Agent: python-requests/2.34.2\r\n"
            b"Accept-Encoding: gzip, deflate\r\n"
            b"Accept: */*\r\n"
            b"Connection: keep-alive\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 204 No Content\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"\r\n",
        ),
        (
            TO_BACKEND,
            b"GET /status/304 HTTP/1.1\r\n"
            b"Host: 127.0.0.1:35603\r\n"
            b"User-Agent: python-requests/2.34.2\r\n"
            b"Accept-Encoding: gzip, deflate\r\n"
            b"Accept: */*\r\n"
            b"Connection: keep-alive\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 304 Not Modified\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"\r\n",
        ),
        (
            TO_BACKEND,
            b"DELETE /echo HTTP/1.1\r\n"
            b"Host: 127.0.0.1:35603\r\n"
            b"User-Agent: python-requests/2.34.2\r\n"
            b"Accept-Encoding: gzip, deflate\r\n"
            b"Accept: */*\r\n"
            b"Connection: keep-alive\r\n"
            b"Content-Length: 0\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:03 GMT\r\n"
            b"Content-Length: 321\r\n"
            b"Content-Type: application/json\r\n"
            b"\r\n"
            b'{"method": "DELETE", "path": "/echo", "fields": [["accept", '
            b'"*/*"], ["accept-encoding", "gzip, deflate"], ["connection",'
            b' "keep-alive"], ["content-length", "0"], ["host", "127.0.0.1'
            b':35603"], ["user-agent", "python-requests/2.34.2"]], "size":'
            b' 0, "digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b9'
            b'34ca495991b7852b855"}',
        ),
        (TO_BACKEND, b""),
        (TO_CLIENT, b""),
    ),
    "httpx, Python": (
        (
            TO_BACKEND,
            b"POST /echo HTTP/1.1\r\n"
            b"Host: 127.0.0.1:39603\r\n"
            b"Accept: */*\r\n"
            b"Accept-Encoding: gzip, deflate, zstd\r\n"
            b"Connection: keep-alive\r\n"
            b"User-Agent: python-httpx/0.28.1\r\n"
            b"Transfer-Encoding: chunked\r\n"
            b"\r\n"
            b"3\r\n"
            b"one\r\n"
            b"3\r\n"
            b"two\r\n"
            b"0\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:04 GMT\r\n"
            b"Content-Length: 331\r\n"
            b"Content-Type: application/json\r\n"
            b"\r\n"
            b'{"method": "POST", "path": "/echo", "fields": [["accept", "*'
            b'/*"], ["accept-encoding", "gzip, deflate, zstd"], ["connecti'
            b'on", "keep-alive"], ["host", "127.0.0.1:39603"], ["transfer-'
            b'encoding", "chunked"], ["user-agent", "python-httpx/0.28.1"]'
            b'], "size": 6, "digest": "25b6746d5172ed6352966a013d93ac846e1'
            b'110d5a25e8f183b5931f4688842a1"}',
        ),
        (
            TO_BACKEND,
            b"GET /hints HTTP/1.1\r\n"
            b"Host: 127.0.0.1:39603\r\n"
            b"Accept: */*\r\n"
            b"Accept-Encoding: gzip, deflate, zstd\r\n"
            b"Connection: keep-alive\r\n"
            b"User-Agent: python-httpx/0.28.1\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 103 Early Hints\r\n"
            b"Link: </style.css>; rel=preload\r\n"
            b"\r\n"
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:04 GMT\r\n"
            b"Content-Length: 7\r\n"
            b"\r\n"
            b"hinted\n",
        ),
        (
            TO_BACKEND,
            b"GET /events/3 HTTP/1.1\r\n"
            b"Host: 127.0.0.1:39603\r\n"
            b"Accept: */*\r\n"
            b"Accept-Encoding: gzip, deflate, zstd\r\n"
            b"Connection: keep-alive\r\n"
            b"User-Agent: python-httpx/0.28.1\r\n"
            b"\r\n",
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\n"
            b"Server: BaseHTTP/0.6 Python/3.11.7\r\n"
            b"Date: Sat, 21 Nov 2026 04:08:04 GMT\r\n"
            b"Content-Type: text/event-stream\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b"data: 0\n"
            b"\n"
            b"data: 1\n"
            b"\n"
            b"data: 2\n"
            b"\n",
        ),
        (TO_CLIENT, b""),
        (TO_BACKEND, b""),
    ),
}
