"""How a server has to ask for a password before it gets one.

libpq answers whatever a server asks for. One that asks for the password in clear gets it, also from the user's environment and
password file, and so does whoever stands between. SCRAM does not give the password away, and the server has to prove that it
knows it too. What a person writes into the address himself (`require_auth`) stands.

    over a unix socket, to this machine's own addresses    anything but a password in clear: local servers that trust, know the
                                                           user from the system, or keep md5 passwords go on working
    elsewhere, the server's certificate being checked      anything: that it is the right one was proved before
    elsewhere, with a client certificate                   anything but a password in clear
    elsewhere, with a password that could be sent          SCRAM or Kerberos alone
    elsewhere, without any                                 anything but a password in clear

TLS is preferred wherever a server has it, which is libpq's default.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from psycopg import pq

NOT_IN_CLEAR = "!password"
PROVED = "scram-sha-256,gss,sspi"

_SINCE = 160_000
"""The version of libpq that knows `require_auth`."""


def is_supported() -> bool:
    """Whether the libpq that is installed can be called."""
    return pq.version() >= _SINCE


def require_auth(given: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """What to require for an address that says nothing of it, by libpq's keywords; None: nothing."""
    if given.get("require_auth") or environment.get("PGREQUIREAUTH"):
        return None
    hosts = (given.get("host") or given.get("hostaddr") or environment.get("PGHOST") or "").split(",")
    if all(map(_is_here, hosts)):
        return NOT_IN_CLEAR
    if (given.get("sslmode") or environment.get("PGSSLMODE")) in ("verify-ca", "verify-full"):
        return None
    if given.get("sslcert") or not _has_password(given, environment):
        return NOT_IN_CLEAR
    return PROVED


def _is_here(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_password(given: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Whether libpq may find one: in the address, the environment, a password file or a service file."""
    if given.get("password") or environment.get("PGPASSWORD") or given.get("service") or environment.get("PGSERVICE"):
        return True
    file = given.get("passfile") or environment.get("PGPASSFILE")
    try:
        return (Path(file) if file else Path.home() / ".pgpass").exists()
    except (OSError, RuntimeError):
        return True  # it cannot be said
