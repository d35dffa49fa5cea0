"""Verbs that are nearly a well-known one: the start warns only where a protocol has a closed list of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from txvaurien.doctor.findings import Finding, Level
from txvaurien.process.definition import Definition
from txvaurien.protocols.memcache.commands import COMMANDS
from txvaurien.protocols.redis.commands import command_names
from txvaurien.protocols.smtp import messages as smtp

#: RFC 9110, section 9.1, and RFC 5789.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})

#: The first words of statements (MySQL's manual, "SQL Statements", and MariaDB's), the commands that are
#: none (the documentation of the protocol, "Command Phase"), and what else links of ours show.
_STATEMENTS = """\
ALTER ANALYZE BACKUP BEGIN BINLOG CACHE CALL CHANGE CHECK CHECKSUM CLONE COMMIT CREATE DEALLOCATE DELETE DESC
DESCRIBE DO DROP EXECUTE EXPLAIN FLUSH GET GRANT HANDLER HELP IMPORT INSERT INSTALL KILL LOAD LOCK OPTIMIZE
PREPARE PURGE RELEASE RENAME REPAIR REPLACE RESET RESIGNAL RESTART REVOKE ROLLBACK SAVEPOINT SELECT SET SHOW
SHUTDOWN SIGNAL START STOP TABLE TRUNCATE UNINSTALL UNLOCK UPDATE USE VALUES WITH XA
CHANGE_USER DEBUG FIELD_LIST INIT_DB PING PROCESS_INFO QUIT RESET_CONNECTION SET_OPTION STATISTICS
STMT_CLOSE STMT_EXECUTE STMT_FETCH STMT_PREPARE STMT_RESET STMT_SEND_LONG_DATA
AUTH CONNECT CONTENT GREETING LOGIN NOTICE PROGRESS SSL_REQUEST
"""
_MAIL = smtp.VERBS | {smtp.UNKNOWN, smtp.CREDENTIALS, smtp.CONTENT, smtp.GREET, smtp.NOTICE, "CONNECT"}
_CACHE = frozenset(each.verb for each in COMMANDS.values()) | {"NOOP", "UNKNOWN", "CONNECT"}

#: How many letters a slip of the finger is, and in words that are so short that they have many neighbours.
_LETTERS, _LETTERS_OF_SHORT, _SHORT = 2, 1, 4


def near_verbs(definition: Definition) -> Iterator[Finding]:
    """A note for each verb of a rule that is one or two letters from a well-known one."""
    known = _known(definition.protocol.name)
    for rule in definition.plan.rules:
        for verb in sorted(rule.verbs - known):
            near = nearest(verb, known)
            if near:
                text = f"rule {rule.name} is for {verb}, which is nearly {near}"
                yield Finding(Level.NOTE, "plan", text, f"see whether {near} is meant")


def _known(protocol: str) -> frozenset[str]:
    if protocol == "redis":
        return command_names()
    if protocol == "mysql":
        return frozenset(_STATEMENTS.split())
    return {"http": _METHODS, "memcache": _CACHE, "smtp": _MAIL}.get(protocol, frozenset())


def nearest(word: str, words: Collection[str]) -> str:
    """The one of `words` that is a few letters from `word`, or ``""``."""
    # The commands of a module of Redis have its name and a dot before their own.
    most = 0 if "." in word else _LETTERS_OF_SHORT if len(word) <= _SHORT else _LETTERS
    close = (each for each in words if abs(len(each) - len(word)) <= most)
    number, found = min(((letters_between(word, each), each) for each in close), default=(most + 1, ""))
    return found if number <= most else ""


def letters_between(one: str, other: str) -> int:
    """How many letters are missing, too many, wrong, or exchanged with the next one."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for number, letters in enumerate(pairwise("\0" + one), 1):
        above, before, row = before, row, [number]
        for place, others in enumerate(pairwise("\0" + other), 1):
            wrong = before[place - 1] + (letters[1] != others[1])
            row.append(min(before[place] + 1, row[-1] + 1, wrong))
            if letters == others[::-1]:
                row[-1] = min(row[-1], above[place - 2] + 1)
    return row[-1]
