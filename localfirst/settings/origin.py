"""Who said a setting, and what that origin may say. Decisions alone: nothing is read or written here.

The user is believed in everything: his environment, and the configuration file in his own directory. A file that came with a
checkout was written by whoever wrote the repository. It may say what can do no harm; the rest counts once the user has allowed
the file as it is. And some things no checkout may say at all: where the replica is (it could ship one), and secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Origin(StrEnum):
    """Who said it, the nearest first."""

    ENVIRONMENT = "environment"
    OWN = "own configuration"
    ALLOWED = "allowed file"
    CHECKOUT = "file that was not allowed"


_USER = frozenset({Origin.ENVIRONMENT, Origin.OWN})
_IF_ALLOWED = _USER | {Origin.ALLOWED}
_ANYBODY = frozenset(Origin)

_MAY_SAY: dict[str, frozenset[Origin]] = {
    "database_url": _IF_ALLOWED,
    "server_url": _IF_ALLOWED,
    "server_token": _USER,
    "replica": _USER,
    "markdown": _IF_ALLOWED,
    "project": _ANYBODY,
    "client": _IF_ALLOWED,
    "read_from": _ANYBODY,
    "embedding": _IF_ALLOWED,
    "embedding_url": _IF_ALLOWED,
    "embedding_token": _USER,
    "embedding_requests_per_minute": _IF_ALLOWED,
    "share_code": _ANYBODY,
    "archiving": _ANYBODY,
    "tools": _IF_ALLOWED,
}

KEYS = tuple(_MAY_SAY)
"""All settings that have a value; `LOCALFIRST_` and the name in capitals is the environment's variable."""

NO = frozenset({"no", "false", "0"})


class Said(NamedTuple):
    """A value, and who said it."""

    value: str
    origin: Origin


def may_say(origin: Origin, name: str, value: str) -> bool:
    """Whether what `origin` says of a setting counts. (Of a project's name more is asked: see `may_name_project`.)"""
    if origin is Origin.CHECKOUT and name == "share_code":
        return value.lower() in NO
    return origin in _MAY_SAY[name]


def never_in_a_checkout(name: str) -> bool:
    """Whether no file of a checkout may say it, not even one that was allowed."""
    return Origin.ALLOWED not in _MAY_SAY[name]


def may_name_project(*, named_by_git: bool, has_server: bool, replica_exists: bool) -> bool:
    """Whether a file that was not allowed may name its project.

    A name is a key: it opens the replica of that name on this machine, and its rows on the server. So it counts only where it
    opens nothing.
    """
    return not (named_by_git or has_server or replica_exists)


def chosen(sources: Mapping[Origin, Mapping[str, str]]) -> tuple[dict[str, Said], tuple[str, ...]]:
    """Of each setting the nearest origin's value that counts; and the names of what was said and does not count, sorted."""
    found: dict[str, Said] = {}
    ignored = set()
    for origin in Origin:
        for name, value in sources.get(origin, {}).items():
            if not may_say(origin, name, value):
                ignored.add(name)
            elif value:
                found.setdefault(name, Said(value, origin))
    return found, tuple(sorted(ignored))
