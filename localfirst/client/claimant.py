"""Under which name a session claims work items: the client's name, and a mark of its process.

Two agents whose clients have one name are two sessions. A person at a terminal is one, however many commands that takes.
"""

from __future__ import annotations

import secrets
from functools import cache

from localfirst_schema.author import AUTHOR_MAX
from localfirst_schema.refs import SYMBOLS

MARK_LENGTH = 6
NAMELESS = "client"


@cache
def mark() -> str:
    """This process's mark."""
    return "".join(secrets.choice(SYMBOLS) for _ in range(MARK_LENGTH))


def of_session(who: str | None, *, is_command: bool) -> str:
    """The claimant where a call does not name one."""
    name = who or NAMELESS
    return name if is_command else f"{name[: AUTHOR_MAX - MARK_LENGTH - 1]}/{mark()}"
