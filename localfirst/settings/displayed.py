"""A setting as it may be printed: with a placeholder where a secret stands, rather too long a one than too short."""

from __future__ import annotations

from urllib.parse import urlsplit

PASSWORD, TOKEN = "<PASSWORD>", "<TOKEN>"
UNREADABLE = "(unreadable address)"


def displayed(name: str, value: str) -> str:
    """The value of the setting of this name."""
    if name.endswith("_token"):
        return TOKEN
    if name == "database_url":
        from localfirst_sync.postgres.address import without_secret

        return without_secret(value)
    return _place(value) if name.endswith("_url") else value


def _place(url: str) -> str:
    """Scheme, host and path of a web address: what else it may hold could be a key."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return UNREADABLE
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.path:
        return UNREADABLE
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user = f"{PASSWORD}@" if "@" in parts.netloc else ""
    query = f"?{PASSWORD}" if parts.query else ""
    return f"{parts.scheme}://{user}{host}{'' if port is None else f':{port}'}{parts.path}{query}"
