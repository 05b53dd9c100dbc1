"""A file that the index leaves out, and the rule that says so."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class SkipRule(StrEnum):
    """Why a file is left out; users see these words."""

    BINARY = "binary"
    TOO_LARGE = "too large"
    MINIFIED = "minified"
    GENERATED = "generated"
    LOCK_FILE = "lock file"
    SECRET = "secret"  # noqa: S105 - a rule's name
    LINK = "link"
    NOT_A_FILE = "not a regular file"
    EMPTY = "empty"
    REPOSITORY = "another repository"
    FILLED = "filled by a program"
    UNREADABLE = "unreadable"
    UNDECODABLE = "not text"
    FAILED = "failed"


TROUBLES = (SkipRule.UNREADABLE, SkipRule.UNDECODABLE, SkipRule.FAILED)
"""Files that should be in the index and are not; the other rules leave out what does not belong there."""


class Skipped(msgspec.Struct, frozen=True):
    """One file that was left out."""

    path: str
    """As in `FoundFile`."""

    rule: SkipRule

    detail: str = ""
    """What was seen, for a person: a size, a line's length, the system's message."""
