"""Codes and times in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localfirst_schema import timestamps

_WARNINGS = {
    "database_unavailable": "the server does not answer",
    "using_fallback_cache": "this is what this machine holds",
    "using_git_history_fallback": "this comes from the status file's git history",
    "using_markdown_fallback": "this comes from the status file",
    "pending_local_changes": "some of it is not on the server yet",
    "read_only": "the server takes no changes from you (see `localfirst doctor`)",
    "set_aside": "what the server has and this program cannot take is left out (`localfirst doctor` names it)",
    "conflict_pending": "a conflict is open (see `localfirst conflicts list`)",
    "follow_up_failed": "it is stored, and something that follows a write was not done (see the log)",
    "untrusted_settings": "settings in .localfirst.toml do not count (see `localfirst trust --show`)",
}
_STEPS = ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600), (30 * 86_400, "d", 86_400))


def for_a_person(sentence: str) -> str:
    """An operation's sentence with commands where it names tools."""
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", _command_for, sentence)


def _command_for(found: re.Match[str]) -> str:
    from localfirst.operations.registry import BY_NAME  # a sentence of an operation's: it is there

    operation = BY_NAME.get(found[0])
    return found[0] if operation is None or operation.command is None else f"`localfirst {operation.command}`"


def warnings(result: Mapping[str, Any]) -> str | None:
    """The warnings of a result as one sentence, or None."""
    parts = [_WARNINGS.get(code) or (_stale(result) if code == "stale_cache" else code) for code in result.get("warnings", ())]
    return f"Note: {'; '.join(parts)}." if parts else None


def _stale(result: Mapping[str, Any]) -> str:
    age = result.get("cache_age_minutes")
    if age is None:
        return "this machine has never caught up with the server"
    return f"this machine caught up with the server {duration(age * 60)} ago"


_NO_ANSWER = frozenset({"refused", "timeout", "connection", "tls"})
"""Causes (`details["cause"]` of an error) for which a server was not there; any other is the answer of one that is."""


def server_state(*, is_online: bool, cause: str | None) -> str:
    """What a server does: `answers`, `does not answer`, or `cannot be used` if it is there and is refused, or refuses us."""
    if is_online:
        return "answers"
    return "does not answer" if cause is None or cause in _NO_ANSWER else "cannot be used"


def duration(seconds: float) -> str:
    """A length of time as a person says it: `5 min`, `3 d`."""
    seconds = max(0.0, seconds)
    for limit, unit, size in _STEPS:
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} d"


def ago(moment: str | None) -> str | None:
    """How long ago a moment of the store was; a date where that is more than a month."""
    if moment is None:
        return None
    seconds = (datetime.now(UTC) - timestamps.parse(moment)).total_seconds()
    if not 0 <= seconds < _STEPS[-1][0]:
        return local_time(moment)[:10]
    return "now" if seconds < 10 else f"{duration(seconds)} ago"


def local_time(moment: str) -> str:
    """A moment of the store in this machine's time zone, to the minute."""
    try:
        return timestamps.parse(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return moment


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 change`, `2 changes`."""
    return f"{number:,} {noun if number == 1 else (plural or noun + 's')}".replace(",", "\u202f")
