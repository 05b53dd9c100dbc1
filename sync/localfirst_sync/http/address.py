"""The address of a daemon: what it may look like, and whether a token may be sent there."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from localfirst_schema.errors import ValidationError

FIELD = "LOCALFIRST_SERVER_URL"

_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where a daemon is; `path` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """The address in its one form, without anything that could be a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def parse(url: str) -> Address:
    """The address. Raises `ValidationError`, which repeats nothing of it."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValidationError(FIELD, "must be a web address such as https://sync.example.org") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValidationError(FIELD, "must be a web address such as https://sync.example.org")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValidationError(
            FIELD,
            "must hold no user, password, token or query: the token goes into LOCALFIRST_SERVER_TOKEN or `localfirst login`",
        )
    host = parts.hostname.removesuffix(".")
    if parts.scheme == "http" and not is_this_machine(host):
        raise ValidationError(FIELD, "must begin with https:// : a token is not sent unencrypted to another machine")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def is_this_machine(host: str) -> bool:
    """Whether a host's name or address is this machine's own, and nobody on the way reads along."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def described(url: str) -> str:
    """The address as it may be displayed."""
    try:
        return str(parse(url))
    except ValidationError:
        return "(unreadable address)"
