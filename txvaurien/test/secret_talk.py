"""Conversations with a secret in every place where one can stand, and nowhere else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from txvaurien.protocols.mysql import wire
from txvaurien.test import memcache_samples as memcache
from txvaurien.test import mysql_samples as mysql
from txvaurien.test.http_samples import OK as HTTP_OK
from txvaurien.test.http_samples import request, response, sized
from txvaurien.test.redis_samples import OK, ask, bulk, cmd, say
from txvaurien.test.smtp_samples import DATA, ENVELOPE, GO_AHEAD, MAIL, QUEUED, RCPT, START
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation

#: Letters only, so that it may stand wherever a word may; and large enough to be found by accident nowhere.
SECRET = "hunterzwei"
_RAW = SECRET.encode()
PLAIN = b64encode(b"\0ann\0" + _RAW).decode()
LOGIN = b64encode(_RAW).decode()

#: In whichever form, in lower case.
FORMS = tuple(each.lower() for each in (SECRET, PLAIN, LOGIN, _RAW.hex()))

ERROR = b"-ERR said " + _RAW + b" to me\r\n"


def _redis() -> dict[str, Conversation]:
    commands: Sequence[tuple[str | bytes, bytes]] = (
        (f"AUTH {SECRET}", OK),
        (f"AUTH ann {SECRET}", b"-WRONGPASS invalid " + _RAW + b"\r\n"),
        (f"HELLO 3 AUTH ann {SECRET} SETNAME {SECRET}", b"%1\r\n$6\r\nserver\r\n" + bulk(SECRET)),
        (f"AUHT {SECRET}", ERROR),
        (SECRET, ERROR),
        (f"{SECRET} {SECRET}", ERROR),
        (f"SET key {SECRET}", OK),
        (f"SETEX key 10 {SECRET}", OK),
        (f"MSET key {SECRET} other {SECRET}", OK),
        (f"HSET key field {SECRET}", b":1\r\n"),
        (f"LPUSH key {SECRET}", b":1\r\n"),
        (f"XADD key * field {SECRET}", b"$3\r\n1-1\r\n"),
        (f"PUBLISH channel {SECRET}", b":0\r\n"),
        (f"EVAL {SECRET} 1 key {SECRET}", bulk(SECRET)),
        (f"SCRIPT LOAD {SECRET}", bulk("a" * 40)),
        (f"FUNCTION LOAD {SECRET}", bulk("lib")),
        (f"CONFIG SET requirepass {SECRET}", OK),
        ("CONFIG GET requirepass", b"*2\r\n" + bulk("requirepass") + bulk(SECRET)),
        (f"ACL SETUSER ann on >{SECRET}", OK),
        (f"CLIENT SETNAME {SECRET}", OK),
        (f"MIGRATE host 1 key 0 5 AUTH {SECRET}", OK),
        (cmd("MIGRATE", "host", "1", "", "0", "5", "AUTH2", "ann", SECRET, "KEYS", "key"), OK),
        (f"JSON.SET key $ {SECRET}", OK),
        (f"GET key {SECRET}", ERROR),
        ("GET key", bulk(SECRET)),
        ("GET key", ERROR),
        ("LRANGE key 0 1", b"*2\r\n" + bulk(SECRET) * 2),
        (f"ECHO {SECRET}", b"+" + _RAW + b"\r\n"),
    )
    made: dict[str, Conversation] = {
        f"command {number}": [ask(each), say(reply)] for number, (each, reply) in enumerate(commands)
    }
    made |= {
        "inline": [
            (TO_BACKEND, f"AUTH {SECRET}\r\n{SECRET}\r\nSET key '{SECRET}'\r\n".encode()),
            say(OK, ERROR, OK),
        ],
        "transaction": [
            ask("MULTI", f"SET key {SECRET}", "EXEC"),
            say(OK, b"+QUEUED\r\n", b"*1\r\n" + bulk(SECRET)),
        ],
        "push": [
            ask("HELLO 3"),
            say(b"%0\r\n", b">3\r\n" + bulk("message") + bulk("channel") + bulk(SECRET)),
        ],
        "message": [
            ask("SUBSCRIBE channel"),
            say(b"*3\r\n" + bulk("subscribe") + bulk("channel") + b":1\r\n"),
            say(b"*3\r\n" + bulk("message") + bulk("channel") + bulk(SECRET)),
        ],
        "monitor": [
            ask("MONITOR"),
            say(OK, b'+1.5 [0 127.0.0.1:1] "SET" "key" "' + _RAW + b'"\r\n'),
        ],
        "nobody asked": [ask("PING"), say(b"+PONG\r\n", bulk(SECRET))],
        "nobody asked, simple": [ask("PING"), say(b"+PONG\r\n", b"+" + _RAW + b"\r\n")],
        "another answer": [ask("MULTI"), say(b"+" + _RAW + b"\r\n")],
        "greeted with": [say(b"-" + _RAW + b" is wrong\r\n")],
        "error": [ask("GET key"), say(b"-" + _RAW + b" is wrong\r\n")],
    }
    garbage = [
        b"$%b\r\n",
        b"*%b\r\n",
        b"*1\r\n%b\r\n",
        b"*1\r\n$%b\r\n",
        b"*1\r\n$4\r\nPING%b\r\n",
        b'"%b\r\n',
    ]
    garbage += [b"*" + _RAW * 10 + b"%b"]
    for number, each in enumerate(garbage):
        made[f"broken request {number}"] = [(TO_BACKEND, each % _RAW), ask(f"SET key {SECRET}")]
        made[f"broken reply {number}"] = [ask("GET key"), say(each % _RAW)]
    for number, each in enumerate((_RAW + b"\r\n", b"%" + _RAW + b"\r\n", b"." + _RAW + b"\r\n")):
        made[f"no reply {number}"] = [ask("GET key"), say(each)]
    return made


def _http() -> dict[str, Conversation]:
    fields = (
        f"Authorization: Bearer {SECRET}",
        f"Proxy-Authorization: Basic {PLAIN}",
        f"Cookie: session={SECRET}",
        f"X-Api-Key: {SECRET}",
    )
    body = _RAW
    requests = {
        "query": request(f"GET /path?token={SECRET}", *fields),
        "parameter": request(f"GET /path;jsessionid={SECRET}", *fields),
        "parameter in the middle": request(f"GET /path;jsessionid={SECRET}/more?a=b", *fields),
        "fragment": request(f"GET /path#{SECRET}", *fields),
        "absolute": request(f"GET http://ann:{SECRET}@example.org/path?token={SECRET}", *fields),
        "absolute without path": request(f"GET http://ann:{SECRET}@example.org?token={SECRET}", *fields),
        "connect": request(f"CONNECT ann:{SECRET}@example.org:443", *fields),
        "body": request("POST /path", f"Content-Length: {len(body)}", *fields, body=body),
        "chunks": request(
            "POST /path",
            "Transfer-Encoding: chunked",
            body=b"a;name=%b\r\n%b\r\n0\r\nX-Trailer: %b\r\n\r\n" % (_RAW, _RAW, _RAW),
        ),
        "upgrade": request("GET /path", "Connection: Upgrade", "Upgrade: websocket", *fields),
        "no length": request("POST /path", f"Content-Length: {SECRET}", body=body),
        "no chunk": request("POST /path", "Transfer-Encoding: chunked", body=_RAW + b"\r\n"),
        "folded": request("GET /path", f"X-More: a\r\n {SECRET}"),
        "no field": request("GET /path", SECRET),
        "no request": _RAW + b"\r\n\r\n",
        "no request at all": b"\x16\x03\x01" + _RAW,
    }
    replies = {
        "with cookie": sized("200 OK", _RAW, f"Set-Cookie: session={SECRET}"),
        "found": response("302 Found", f"Location: /path?token={SECRET}", "Content-Length: 0"),
        "reason": response(f"401 {SECRET}", f"WWW-Authenticate: {SECRET}", "Content-Length: 0"),
        "interim": response(f"103 {SECRET}", f"Link: {SECRET}") + HTTP_OK,
        "switched": response("101 Switching Protocols", "Upgrade: websocket") + _RAW,
        "no reply": _RAW + b"\r\n\r\n",
        "no status": response(SECRET),
        "no chunk": response("200 OK", "Transfer-Encoding: chunked", body=_RAW + b"\r\n"),
    }
    made: dict[str, Conversation] = {
        f"{asked}, {said}": ((TO_BACKEND, first), (TO_CLIENT, second))
        for asked, first in requests.items()
        for said, second in replies.items()
        if asked == "query" or said == "with cookie"
    }
    return {**made, "nobody asked": ((TO_CLIENT, replies["with cookie"]),)}


def _memcache() -> dict[str, Conversation]:
    value = memcache.text_value(b"key", _RAW)
    texts = (
        (memcache.text_set(b"key", _RAW), b"STORED\r\n"),
        (memcache.text_set(b"key", b"ann " + _RAW), b"STORED\r\n"),
        (b"set key 0 0 3\r\n%b\r\n%b\r\n" % (_RAW, _RAW), b"CLIENT_ERROR bad data chunk\r\nERROR\r\n"),
        (b"get key\r\n", value + b"END\r\n"),
        (b"get key\r\n", b"SERVER_ERROR %b\r\n" % _RAW),
        (b"get key\r\n", _RAW + b"\r\n"),
        (b"get key\r\n", b"VALUE key 0 %b\r\n" % _RAW),
        (b"ms key 10\r\n%b\r\n" % _RAW, b"HD\r\n"),
        (b"mg key v\r\n", b"VA 10\r\n%b\r\n" % _RAW),
        (b"%b\r\n" % _RAW, b"ERROR\r\n"),
        (b"%b %b\r\n" % (_RAW, _RAW), b"CLIENT_ERROR %b\r\n" % _RAW),
        (b"auth %b\r\n" % _RAW, b"ERROR\r\n"),
        (b"incr key %b\r\n" % _RAW, b"CLIENT_ERROR invalid\r\n"),
        (b"version\r\n", b"VERSION 1\r\n%b\r\n" % _RAW),
        (b"watch\r\n", b"OK\r\nts=1 key=%b\r\n" % _RAW),
        (b"\x01" + _RAW + b"\r\n", b"ERROR\r\n"),
    )
    made = {f"text {number}": memcache.turn(*each) for number, each in enumerate(texts)}
    sasl = b"\0ann\0" + _RAW
    packets = (
        (memcache.ask(memcache.SASL_AUTH, b"PLAIN", sasl), memcache.tell(memcache.SASL_AUTH, _RAW)),
        (
            memcache.ask(memcache.SASL_STEP, b"PLAIN", sasl),
            memcache.tell(memcache.SASL_STEP, _RAW, status=0x20),
        ),
        (
            memcache.ask(memcache.SET, b"key", _RAW, memcache.STORE),
            memcache.tell(memcache.SET, _RAW, status=5),
        ),
        (memcache.ask(memcache.GET, b"key"), memcache.tell(memcache.GET, _RAW, extras=memcache.FLAGS)),
        (memcache.ask(memcache.GET, b"key"), _RAW * 3),
        (memcache.ask(0x77, b"", _RAW), memcache.tell(0x77, _RAW, status=0x81)),
        (memcache.ask(memcache.NOOP), memcache.tell(memcache.NOOP) + memcache.tell(memcache.GET, _RAW)),
        (memcache.ask(memcache.NOOP) + _RAW * 3, memcache.tell(memcache.NOOP)),
    )
    return made | {f"binary {number}": memcache.turn(*each) for number, each in enumerate(packets)}


def _smtp() -> dict[str, Conversation]:
    content = f"Subject: {SECRET}\r\n\r\n{SECRET}\r\n.\r\n".encode()
    chunk = f"Subject: {SECRET}\r\n".encode()
    challenge = (TO_CLIENT, b"334 VXNlcm5hbWU6\r\n")
    failed = (TO_CLIENT, f"535 5.7.8 no such {SECRET}\r\n".encode())
    said = {
        "plain": [f"AUTH PLAIN {PLAIN}"],
        "lower": [f"auth plain {PLAIN}"],
        "no mechanism": [f"AUTH {PLAIN}"],
        "no mechanism, bare": [f"AUTH {SECRET}"],
        "no verb": [PLAIN],
        "bare": [SECRET, f"{SECRET} {SECRET}"],
        "parameter": [
            f"MAIL FROM:<ann@example.org> AUTH={SECRET}",
            "RCPT TO:<bob@example.org> ORCPT=" + SECRET,
        ],
        "help": [f"HELP {SECRET}", f"NOOP {SECRET}"],
        "xclient": [f"XCLIENT LOGIN={SECRET}"],
        "burl": [f"BURL imap://ann:{SECRET}@example.org LAST"],
        "pipelined": [f"AUTH LOGIN\r\n{LOGIN}\r\n{LOGIN}"],
    }
    made: dict[str, Conversation] = {
        name: (*START, *(step for each in lines for step in ((TO_BACKEND, f"{each}\r\n".encode()), failed)))
        for name, lines in said.items()
    }
    dialogue = (TO_BACKEND, f"{LOGIN}\r\n".encode())
    for name in ("LOGIN", "PLAIN", "CRAM-MD5", SECRET):
        begin = (TO_BACKEND, f"AUTH {name}\r\n".encode())
        made[f"dialogue {name}"] = (
            *START,
            begin,
            challenge,
            dialogue,
            challenge,
            dialogue,
            failed,
            dialogue,
            failed,
        )
    refused = (TO_CLIENT, f"554 5.7.1 I read {SECRET}\r\n".encode())
    made |= {
        "content": (*START, *ENVELOPE, DATA, GO_AHEAD, (TO_BACKEND, content), QUEUED),
        "content refused": (*START, *ENVELOPE, DATA, GO_AHEAD, (TO_BACKEND, content), refused),
        "content too early": (*START, *ENVELOPE, (TO_BACKEND, DATA[1] + content), GO_AHEAD, QUEUED),
        "content after a refusal": (
            *START,
            *ENVELOPE,
            DATA,
            refused,
            (TO_BACKEND, content),
            refused,
            refused,
        ),
        "chunk": (
            *START,
            (TO_BACKEND, MAIL[1] + RCPT[1] + b"BDAT %d LAST\r\n" % len(chunk) + chunk),
            (TO_CLIENT, b"250 ok\r\n" * 3),
        ),
        "chunk too long": (*START, *ENVELOPE, (TO_BACKEND, b"BDAT 2 LAST\r\n" + chunk), QUEUED, refused),
        "greeting": ((TO_CLIENT, f"220 {SECRET}\r\n".encode()), (TO_BACKEND, b"NOOP\r\n"), refused),
        "notice": (*START, (TO_CLIENT, f"421 4.4.2 {SECRET}\r\n".encode())),
        "no reply": (*START, (TO_BACKEND, b"NOOP\r\n"), (TO_CLIENT, f"{SECRET}\r\n".encode())),
        "not greeted": ((TO_CLIENT, f"{SECRET}\r\n".encode()),),
    }
    return made


def _mysql() -> dict[str, Conversation]:
    clear = "mysql_clear_password"
    head = mysql.PLAIN.to_bytes(4, "little") + b"\0\0\0\1\x2d" + bytes(23) + b"ann\0"
    named = b"shop\0" + clear.encode() + b"\0"
    spoken = head + bytes((len(_RAW) + 1,)) + _RAW + b"\0" + named
    switch = mysql.down(b"\xfe" + clear.encode() + b"\0", seq=2)
    denied = mysql.down(mysql.err(1045, "28000", f"Access denied for {SECRET}"), seq=2)
    opened = mysql.opened()
    queries = (
        f"INSERT INTO stock VALUES ('{SECRET}')",
        f"UPDATE stock SET name = '{SECRET}'",
        f"SELECT * FROM stock WHERE name = '{SECRET}'",
        f"SELECT 'taken from {SECRET}'",
        f'SELECT "taken from {SECRET}" FROM stock',
        f"SELECT 'it''s from {SECRET}', 'it\\'s from {SECRET}' FROM stock",
        f"SELECT 1 /* from {SECRET} */",
        f"SELECT 1 -- from {SECRET}\n",
        f"SELECT 1 # from {SECRET}\n",
        f"SELECT 'from {SECRET} and never closed",
        f"SELECT {'9' * 1000} + 'from {SECRET} {'x' * 2000}'",
        f"/* {SECRET} */ SELECT * FROM stock",
        f"SET PASSWORD = '{SECRET}'",
        f"SET PASSWORD FOR ann = PASSWORD('{SECRET}')",
        f"CREATE USER ann IDENTIFIED BY 'on {SECRET}'",
        f"ALTER USER ann IDENTIFIED BY 'table {SECRET}'",
        f"GRANT ALL ON shop TO ann IDENTIFIED BY '{SECRET}'",
        f"CALL store('{SECRET}')",
        f"DELETE FROM stock WHERE name = '{SECRET}'",
        f"CREATE TABLE stock (id INT COMMENT '{SECRET}')",
        f"CHANGE MASTER TO MASTER_PASSWORD = '{SECRET}'",
        f"DO '{SECRET}'",
        f"SHOW VARIABLES LIKE 'from {SECRET}'",
        f"USE `shop`; SELECT '{SECRET}'",
        f"'{SECRET}'",
    )
    made: dict[str, Conversation] = {
        "clear": [mysql.down(mysql.greeting(), seq=0), mysql.up(spoken, seq=1), denied],
        "switched": [
            mysql.down(mysql.greeting(), seq=0),
            mysql.up(mysql.login(), seq=1),
            switch,
            mysql.up(_RAW + b"\0", seq=3),
            mysql.down(mysql.err(1045, "28000", SECRET), seq=4),
        ],
        "greeting": [mysql.down(mysql.greeting(version=_RAW, plugin=SECRET), seq=0)],
        "refused": [mysql.down(mysql.err(1040, "08004", SECRET), seq=0)],
        "other user": [
            *opened,
            mysql.up(b"\x11ann\0" + bytes((len(_RAW),)) + _RAW + b"shop\0\x21\0" + clear.encode() + b"\0"),
            mysql.down(mysql.ok()),
        ],
        "prepared": [
            *opened,
            mysql.up(mysql.PREPARE.replace(b"> ?", f"> 'from {SECRET}'".encode())),
            mysql.down(*mysql.PREPARE_REPLY),
            mysql.up(mysql.EXECUTE_FIRST.replace(b"\1x", bytes((len(_RAW),)) + _RAW)),
            mysql.down(*mysql.BINARY_RESULT),
            mysql.up(b"\x18\7\0\0\0\0\0" + _RAW),
            mysql.up(mysql.EXECUTE_AGAIN.replace(b"\1y", bytes((len(_RAW),)) + _RAW)),
            mysql.down(mysql.err(1234, "42000", SECRET)),
        ],
        "file": [
            *opened,
            mysql.up(mysql.query("LOAD DATA LOCAL INFILE 'a.csv' INTO TABLE stock")),
            mysql.down(b"\xfba.csv"),
            mysql.up(_RAW, b"", seq=2),
            mysql.down(mysql.ok(info=_RAW), seq=4),
        ],
        "attributes": [
            mysql.down(mysql.greeting(), seq=0),
            mysql.up(mysql.login(mysql.PLAIN | wire.CLIENT_QUERY_ATTRIBUTES), seq=1),
            mysql.down(mysql.ok(), seq=2),
            mysql.up(b"\x03\1\1\0\1\xfe\0\4name" + bytes((len(_RAW),)) + _RAW + b"SELECT * FROM stock"),
            mysql.down(*mysql.rows(_RAW)),
        ],
        "no command": [*opened, mysql.up(b"\x77" + _RAW), mysql.down(_RAW)],
        "out of step": [*opened, mysql.up(mysql.query("SELECT 1"), seq=5), mysql.down(_RAW)],
        "nobody asked": [*opened, mysql.down(_RAW, seq=0)],
        "no greeting": [(TO_CLIENT, _RAW + b"\r\n")],
        "no packets": [*opened, (TO_BACKEND, _RAW * 3)],
    }
    for number, text in enumerate(queries):
        made[f"query {number}"] = [*opened, mysql.up(mysql.query(text)), mysql.down(*mysql.rows(_RAW))]
        made[f"error {number}"] = [*opened, mysql.up(mysql.query(text)), mysql.down(mysql.err(text=SECRET))]
        made[f"prepare {number}"] = [
            *opened,
            mysql.up(b"\x16" + text.encode()),
            mysql.down(mysql.err(text=SECRET)),
        ]
    made |= {f"squeezed {name}": _squeezed(each) for name, each in made.items() if name.startswith("query")}
    return made


def _squeezed(conversation: Conversation) -> Conversation:
    capabilities = mysql.PLAIN | wire.CLIENT_COMPRESS
    return [*mysql.opened(capabilities), *mysql.squeezed(list(conversation)[3:])]


def _tcp() -> dict[str, Conversation]:
    return {"bytes": [(TO_BACKEND, _RAW), (TO_CLIENT, _RAW), (TO_BACKEND, _RAW + b"\r\n"), (TO_CLIENT, _RAW)]}


#: By the name of the protocol.
CONVERSATIONS: Mapping[str, Mapping[str, Conversation]] = {
    "tcp": _tcp(),
    "redis": _redis(),
    "http": _http(),
    "memcache": _memcache(),
    "smtp": _smtp(),
    "mysql": _mysql(),
}
