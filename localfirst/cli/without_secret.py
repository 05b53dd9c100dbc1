"""A setting as it may be printed: with a placeholder where a secret stands, rather too long a one than too short."""

from __future__ import annotations

import re

PASSWORD, TOKEN = "<PASSWORD>", "<TOKEN>"

_NAMED = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)


def without_secret(name: str, value: str) -> str:
    """The value of the environment's variable of this name."""
    if name.endswith("_TOKEN"):
        return TOKEN
    if not name.endswith("_URL"):
        return value
    scheme, mark, rest = value.partition("://")
    if mark:
        user, at, place = rest.rpartition("@")  # in a password that was not escaped there may be more of them
        if ":" in user:
            rest = f"{user.partition(':')[0]}:{PASSWORD}{at}{place}"
    return _NAMED.sub(rf"\1{PASSWORD}", scheme + mark + rest)
