"""The lines of a chunk that a result shows when the whole would be long."""

from __future__ import annotations

from typing import NamedTuple

from localfirst.code_index.words import words_in

LINES = 12
CHARACTERS = 1_200

_START_BONUS = 1.5
"""What the beginning of a chunk, its signature, counts more than a line with a word of the query."""


class Excerpt(NamedTuple):
    """Consecutive lines of a file, counted from 1, inclusive."""

    start_line: int
    end_line: int
    text: str


def excerpt(text: str, start_line: int, wanted: frozenset[str], lines: int = LINES) -> Excerpt:
    """The best `lines` consecutive lines of a chunk that begins at `start_line`: those with most of the wanted words.

    A line that alone is longer than `CHARACTERS` is cut, and displayed with an ellipsis.
    """
    rows = text.split("\n")
    begin = _best_begin(rows, wanted, lines) if len(rows) > lines else 0
    end = min(begin + lines, len(rows))
    while end > begin + 1 and not rows[end - 1].strip():
        end -= 1
    size = 0
    for row in range(begin, end):
        size += len(rows[row]) + 1
        if size > CHARACTERS and row > begin:
            end = row
            break
    displayed = "\n".join(rows[begin:end])
    if len(displayed) > CHARACTERS:
        displayed = displayed[: CHARACTERS - 1] + "…"
    return Excerpt(start_line + begin, start_line + end - 1, displayed)


def _best_begin(rows: list[str], wanted: frozenset[str], lines: int) -> int:
    found = [wanted.intersection(words_in(row).split()) for row in rows]
    best, best_score = 0, -1.0
    for begin in range(len(rows) - lines + 1):
        window = found[begin : begin + lines]
        score = len(set().union(*window)) + 0.1 * sum(map(len, window)) + (_START_BONUS if begin == 0 else 0.0)
        if score > best_score and (begin == 0 or rows[begin].strip()):
            best, best_score = begin, score
    return best
