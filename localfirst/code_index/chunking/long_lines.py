"""Lines that are too long for a chunk, by their beginning: the rest of a data URI or a packed table helps nobody."""

from __future__ import annotations

from localfirst.code_index.chunking.languages import PROSE

KEPT = 2_000
"""Characters that are kept of a line of code: a prompt's beginning says what it is about."""

KEPT_OF_PROSE = 20_000
"""The same of prose, where a paragraph may be one line."""

MARK = "…"
"""What stands in the chunk instead of the rest."""


def shortened(lines: list[str], language: str) -> list[str]:
    """The same lines, in the same number; of one that is longer than is kept, its beginning and the mark."""
    kept = KEPT_OF_PROSE if language in PROSE else KEPT
    if max(map(len, lines)) <= kept:
        return lines
    return [line if len(line) <= kept else line[:kept] + MARK for line in lines]
