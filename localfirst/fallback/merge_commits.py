"""Merge commits read as deployments: what was merged into the main line, when, and as which pull request. Pure.

Known are the merges of GitHub (`Merge pull request #12 from owner/branch`, the title in the body) and GitLab (`See merge
request group/project!12` in the body), and squashed ones, whose title ends in the number: `Fix the parser (#12)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from localfirst_schema import timestamps

FORMAT = "%H%x1f%ct%x1f%an%x1f%B%x1e"
"""For ``git log --format``: hash, time of the commit (seconds since 1970), author and whole message of each commit."""

TITLE_MAX = 200

_PULL_REQUEST = re.compile(r"Merge pull request #([0-9]{1,9})\b")
_SQUASHED = re.compile(r"(.*\S)\s*\(#([0-9]{1,9})\)")
_MERGE_REQUEST = re.compile(r"See merge request \S*!([0-9]{1,9})\b")
_HASH = re.compile(r"[0-9a-f]{40}")


class MergedChange(NamedTuple):
    """One merged pull request; `merged_at` is canonical text."""

    commit_hash: str
    merged_at: str
    pr_number: int
    pr_title: str
    author: str | None


def merged_changes(log: str) -> Iterator[MergedChange]:
    """The merged pull requests in the output of ``git log --format=FORMAT``, in its order; of one number the first alone."""
    seen: set[int] = set()
    for entry in log.split("\x1e"):
        parts = entry.strip("\n").split("\x1f", 3)
        if len(parts) != 4 or not _HASH.fullmatch(parts[0]) or (merged_at := _time(parts[1])) is None:
            continue  # a message may hold anything; a hash of another length (SHA-256) has no column
        found = _pull_request(parts[3])
        if found is not None and found[0] >= 1 and found[0] not in seen:
            seen.add(found[0])
            yield MergedChange(parts[0], merged_at, found[0], found[1], parts[2][:100] or None)


def _pull_request(message: str) -> tuple[int, str] | None:
    """Number and title."""
    lines = [_clean(line) for line in message.splitlines()]
    subject = lines[0] if lines else ""
    body = [line for line in lines[1:] if line]
    if found := _PULL_REQUEST.match(subject):
        return int(found[1]), _title(body[0] if body else subject)
    if found := _SQUASHED.fullmatch(subject):
        return int(found[2]), _title(found[1])
    if subject.startswith("Merge branch ") and (reference := _MERGE_REQUEST.search(message)):
        title = next((line for line in body if not _MERGE_REQUEST.match(line)), subject)
        return int(reference[1]), _title(title)
    return None


def _clean(line: str) -> str:
    """What a store can hold."""
    return line.replace("\0", "").encode("utf-8", "replace").decode().strip()


def _title(text: str) -> str:
    return text if len(text) <= TITLE_MAX else f"{text[: TITLE_MAX - 1].rstrip()}…"


def _time(seconds: str) -> str | None:
    try:
        return timestamps.from_datetime(datetime.fromtimestamp(int(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return None
