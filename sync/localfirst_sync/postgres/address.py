"""The address of a PostgreSQL server as it may be displayed: what libpq read in it, and nothing that could be a secret.

An address is written by hand. What was meant as a password ends up elsewhere when it holds a character that means something
(``user:pa/ss@host``), when its key is misspelt, or when the scheme is missing. So nothing is taken out of the text: what is
displayed is put together from what libpq understood, each part only if it looks like what it is said to be. Anything else is
unreadable.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

UNREADABLE = "(unreadable address)"
PASSWORD = "<PASSWORD>"  # noqa: S105 - it stands where one was
VALUE = "<VALUE>"

DEFAULT_PORT = "5432"

_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-fA-F:]+(%\w+)?|[0-9a-fA-F:.]+|/[\w./ +-]*", re.ASCII)
_PORT = re.compile(r"\d{1,5}", re.ASCII)
_NAME = re.compile(r"[\w$.~+-][\w $.~+-]{0,62}")
_PLAIN_VALUE = re.compile(r"[\w./,:+-]*", re.ASCII)
_SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_PLAIN = (
    "application_name", "channel_binding", "connect_timeout", "gssencmode", "keepalives", "load_balance_hosts", "require_auth",
    "sslcert", "sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "target_session_attrs",
)  # fmt: skip


class Address(NamedTuple):
    """Host and port of each server that is tried, the database, and who logs in; as far as they are named."""

    hosts: tuple[tuple[str, str], ...]
    database: str | None
    user: str | None


def parse(dsn: str) -> dict[str, str] | None:
    """What libpq reads in an address, by its keywords; None if it reads nothing."""
    try:
        return {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except (psycopg.Error, ValueError):
        return None


def address(dsn: str) -> Address | None:
    """The address; None where a part of it does not look like what libpq took it for."""
    given = parse(dsn)
    return None if given is None or _may_be_misread(dsn) else _address(given)


def describe_server(dsn: str) -> str:
    """``host:port/dbname`` for status lines, without user and password."""
    found = address(dsn)
    if found is None:
        return UNREADABLE
    return f"{_hosts(found)}/{found.database or found.user or ''}"


def reached_address(connection: psycopg.Connection) -> str:
    """Where a connection has led to, as a replica keeps it: the host that answered, its port, and the database."""
    info = connection.info
    return _kept(info.host, str(info.port), info.dbname)


def named_addresses(dsn: str, reached: str) -> frozenset[str]:
    """The other hosts of the same address likewise: each of them may answer for the server. None where it cannot be read."""
    found = address(dsn)
    database = reached.rpartition("/")[2]
    return frozenset() if found is None else frozenset(_kept(host, port, database) for host, port in found.hosts)


def _kept(host: str, port: str, database: str) -> str:
    """One form for one place: names of hosts without regard to case and a last dot, folders of sockets without a last slash.

    A slash in a database's name is escaped, so that its name is what follows the last one.
    """
    host = posixpath.normpath(host) if host.startswith("/") else host.lower().removesuffix(".")
    return f"{host}:{port}/{quote(database, safe='')}"


def without_secret(dsn: str) -> str:
    """The address as its owner would write it, with a placeholder for each secret."""
    found, given = address(dsn), parse(dsn)
    if found is None or given is None:
        return UNREADABLE
    rest = {name: value for name, value in given.items() if name not in ("host", "port", "dbname", "user", "password")}
    return (_as_url if _is_url(dsn) else _as_keywords)(
        found, {n: _displayed(n, v) for n, v in rest.items()}, "password" in given
    )


def _is_url(dsn: str) -> bool:
    return dsn.startswith(("postgresql://", "postgres://"))


def _may_be_misread(dsn: str) -> bool:
    """Whether a password with a slash has cut a URL in two: then an @ stands where none belongs."""
    _, _, rest = dsn.partition("://")
    return _is_url(dsn) and "@" in rest.partition("/")[2]


def _address(given: Mapping[str, str]) -> Address | None:
    database, user = given.get("dbname") or None, given.get("user") or None
    if any(name is not None and not _NAME.fullmatch(name) for name in (database, user)):
        return None
    # In a password that was not escaped everything up to its last @ is taken for the host's beginning.
    hosts = (given.get("host") or given.get("hostaddr") or "localhost").rpartition("@")[2].split(",")
    ports = (given.get("port") or DEFAULT_PORT).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    hosts = [host or "localhost" for host in hosts]
    ports = [port or DEFAULT_PORT for port in ports]
    if len(ports) != len(hosts) or not all(map(_HOST.fullmatch, hosts)) or not all(map(_PORT.fullmatch, ports)):
        return None
    return Address(tuple(zip(hosts, ports, strict=True)), database, user)


def _hosts(found: Address) -> str:
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in found.hosts)


def _displayed(name: str, value: str) -> str:
    if name in _SECRET:
        return PASSWORD
    return value if name in _PLAIN and _PLAIN_VALUE.fullmatch(value) else VALUE


def _as_url(found: Address, rest: Mapping[str, str], has_password: bool) -> str:
    user = (found.user or "") + (f":{PASSWORD}" if has_password else "")
    hosts = ",".join(
        f"{f'[{host}]' if ':' in host else quote(host, safe='')}{'' if port == DEFAULT_PORT else f':{port}'}"
        for host, port in found.hosts
    )
    query = "&".join(f"{name}={value}" for name, value in rest.items())
    return f"postgresql://{user}{'@' if user else ''}{hosts}/{found.database or ''}{'?' if query else ''}{query}"


def _as_keywords(found: Address, rest: Mapping[str, str], has_password: bool) -> str:
    words = {
        "host": ",".join(host for host, _ in found.hosts),
        "port": ",".join(port for _, port in found.hosts),
        "dbname": found.database,
        "user": found.user,
        "password": PASSWORD if has_password else None,
        **rest,
    }
    return " ".join(f"{name}={value}" for name, value in words.items() if value)
