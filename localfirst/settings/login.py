"""The tokens that `localfirst login` keeps: by the address of the daemon that each is for, in a private file of the user's."""

from __future__ import annotations

from localfirst_sync.http.address import parse
from localfirst_sync.token import parse as parse_token

from localfirst.settings.registry import Registry

TABLE = "tokens"


def kept_token(url: str) -> str | None:
    """The token for the daemon at this address. Raises ValidationError for what is no address."""
    found = Registry(TABLE).read().get(str(parse(url)))
    return found if isinstance(found, str) and parse_token(found) is not None else None


def keep_token(url: str, token: str) -> None:
    """From now on this is the token for the daemon there. Raises ValidationError or UnavailableError."""
    with Registry(TABLE).changing() as tokens:
        tokens[str(parse(url))] = token


def forget_token(url: str) -> bool:
    """No token is kept for the daemon there; whether one was. Raises ValidationError or UnavailableError."""
    with Registry(TABLE).changing() as tokens:
        return tokens.pop(str(parse(url)), None) is not None
