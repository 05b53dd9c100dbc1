"""A token as it is handed out: ``lf_ID_SECRET``. The id names it in messages and lists; of the secret a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

PREFIX = "lf"

_FORM = re.compile(r"lf_([0-9a-z]{8,32})_([0-9A-Za-z_-]{20,200})", re.ASCII)
_ID_BYTES, _SECRET_BYTES = 5, 32

_SPAN = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Parts(NamedTuple):
    """The two halves of a token."""

    id: str
    secret: str

    def __str__(self) -> str:
        """The whole of it."""
        return f"{PREFIX}_{self.id}_{self.secret}"


def drawn() -> Parts:
    """A new token."""
    return Parts(secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES))


def parse(text: str) -> Parts | None:
    """The halves of a text that has a token's form, else None."""
    found = _FORM.fullmatch(text.strip())
    return None if found is None else Parts(found[1], found[2])


def hashed(secret: str) -> bytes:
    """What is kept of a secret. It is drawn by chance and long: a slow hash would protect it no better."""
    return hashlib.sha256(secret.encode()).digest()


def is_same(secret: str, kept: bytes) -> bool:
    """Whether a secret is the one that was kept, in a time that tells nothing."""
    return hmac.compare_digest(hashed(secret), kept)


def span(text: str) -> timedelta | None:
    """A time such as ``90d``, ``12h``, ``30m``, ``45s``; None for another text, or one without an end in sight."""
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) == 0:
        return None
    try:
        given = timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        return None
    return given if given < datetime.max.replace(tzinfo=UTC) - datetime.now(UTC) else None
