"""Cuts as chunks.

A file is divided at rows, and every row belongs to the piece that begins above it: whatever a grammar reports, no line is
lost or reported twice. Pieces too small to be found for themselves are merged with their neighbours, large ones are split where
a statement or a paragraph begins.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import NamedTuple

from localfirst.code_index.chunk import Chunk

MAX_LINES = 80
PIECE_LINES = 60
"""What is longer than `MAX_LINES` becomes pieces of about `PIECE_LINES`."""

MAX_CHARACTERS = 6_000
"""Long lines fill a chunk sooner."""

MERGED_LINES = 40
"""Neighbours without a definition of their own are one chunk up to here."""

_CLOSING = re.compile(r"[\W_]*(?:end\w*|fi|done|esac)?[\W_]*", re.IGNORECASE)

TINY_LINES = 3
"""A definition as short as this goes with its neighbours."""


class Cut(NamedTuple):
    """From this row on, until the next cut, the lines belong to something else."""

    row: int
    symbol: str | None
    kind: str
    scope: str | None
    """The symbol around it."""

    is_definition: bool


class _Piece(NamedTuple):
    start: int
    end: int
    """The row after its last line that is not blank."""

    filled: int
    """Lines that are not blank."""

    symbol: str | None
    kind: str
    scope: str | None
    is_definition: bool


def partition(lines: list[str], cuts: list[Cut], softer: list[int], filler: str) -> list[Chunk]:
    """The chunks, in order, of rows that are counted from 0.

    `cuts` divide; where several name one row, the last one counts. `softer` are rows at which a long piece may be split.
    `filler` is the kind of what stands outside of every definition.
    """
    # How many lines before each row are not blank, and their characters with line ends. (A loop takes five times as long.)
    filled = [0, *accumulate(map(bool, map(str.strip, lines)))]
    characters = [0, *accumulate(map((1).__add__, map(len, lines)))]
    pieces = _merged(_pieces(lines, cuts, filled, filler), lines)
    breaks = sorted(set(softer))
    chunks: list[Chunk] = []
    for piece in pieces:
        for start, end in _split(piece.start, piece.end, lines, breaks, characters):
            start, end = _trimmed(start, end, filled)
            if start < end:
                chunks.append(Chunk(start + 1, end, "\n".join(lines[start:end]), piece.symbol, piece.kind))
    return chunks


def _trimmed(start: int, end: int, filled: list[int]) -> tuple[int, int]:
    """Without blank lines at either end; an empty range where there is nothing else."""
    before, through = filled[start], filled[end]
    if before == through:
        return start, start
    return bisect_right(filled, before, start) - 1, bisect_left(filled, through, start)


def _pieces(lines: list[str], cuts: list[Cut], filled: list[int], filler: str) -> list[_Piece]:
    by_row = {0: Cut(0, None, filler, None, False)}
    for cut in cuts:
        if cut.row < len(lines):
            by_row[cut.row] = cut
    rows = sorted(by_row)
    pieces = []
    for row, after in zip(rows, [*rows[1:], len(lines)], strict=True):
        start, end = _trimmed(row, after, filled)
        if start < end:
            _, symbol, kind, scope, is_definition = by_row[row]
            pieces.append(_Piece(start, end, filled[end] - filled[start], symbol, kind, scope, is_definition))
    return pieces


def _is_loose(piece: _Piece) -> bool:
    return not piece.is_definition or piece.filled <= TINY_LINES


def _is_single(piece: _Piece) -> bool:
    """A line that no one would look for by itself."""
    return not piece.is_definition and piece.filled == 1


def _is_opening(piece: _Piece) -> bool:
    """The line that opens a module or a section and says no more than the names of its members do."""
    return piece.is_definition and piece.filled == 1 and piece.kind in ("module", "impl", "extension", "section")


def _is_closing(piece: _Piece, lines: list[str]) -> bool:
    """Brackets and words that end what is above."""
    return not piece.is_definition and all(_CLOSING.fullmatch(line) for line in lines[piece.start : piece.end])


def _merged(pieces: list[_Piece], lines: list[str]) -> list[_Piece]:
    merged: list[_Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last is None:
            merged.append(piece)
        elif _is_closing(piece, lines) or (
            _is_single(piece) and piece.scope in (last.scope, last.symbol) and piece.end - last.start <= MAX_LINES
        ):
            merged[-1] = last._replace(end=piece.end, filled=last.filled + piece.filled)
        elif piece.end - last.start <= MAX_LINES and (
            (len(merged) == 1 and _is_single(last)) or (_is_opening(last) and piece.scope == last.symbol)
        ):
            merged[-1] = piece._replace(start=last.start, filled=last.filled + piece.filled)
        elif (
            _is_loose(last)
            and _is_loose(piece)
            and piece.end - last.start <= MERGED_LINES
            and piece.scope in (last.scope, last.symbol)
        ):
            merged[-1] = _both(last, piece)
        else:
            merged.append(piece)
    return merged


def _both(first: _Piece, second: _Piece) -> _Piece:
    """Two loose neighbours as one: named after a definition only if that is most of it, or holds the other."""
    if first.symbol is not None and second.scope == first.symbol:
        named = second if second.kind in ("class", "struct", "trait", "interface") else first  # not the module around it
    elif second.is_definition and not first.is_definition and second.filled >= first.filled:
        named = second
    elif first.is_definition and not second.is_definition and first.filled >= second.filled:
        named = first
    else:
        named = first._replace(symbol=first.scope, kind="members" if first.scope else "block", is_definition=False)
    return named._replace(start=first.start, end=second.end, filled=first.filled + second.filled, scope=first.scope)


def _split(start: int, end: int, lines: list[str], breaks: list[int], characters: list[int]) -> list[tuple[int, int]]:
    """Ranges of rows, none with more than `MAX_LINES` lines; with more than `MAX_CHARACTERS` only if it is one line."""
    ranges = []
    while True:
        rows, size = end - start, characters[end] - characters[start]
        if (rows <= MAX_LINES and size <= MAX_CHARACTERS) or rows <= 1:
            ranges.append((start, end))
            return ranges
        count = max(-(-rows // MAX_LINES), -(-size // MAX_CHARACTERS), 2)
        # The last row that a piece from here may end before.
        fits = bisect_right(characters, characters[start] + MAX_CHARACTERS, start + 1, end) - 1
        limit = max(start + 1, min(start + MAX_LINES, fits, end - 1))
        wanted = min(start + min(PIECE_LINES, -(-rows // count)), limit)
        at = _nearest_break(start + max(1, (wanted - start) // 2), limit, wanted, lines, breaks)
        ranges.append((start, at))
        start = at


def _nearest_break(low: int, high: int, wanted: int, lines: list[str], breaks: list[int]) -> int:
    """A row in ``low…high`` to split at: where a statement begins, else after a blank line, else `wanted`."""
    inside = breaks[bisect_left(breaks, low) : bisect_right(breaks, high)]
    if not inside:
        inside = [row for row in range(low, high + 1) if not lines[row - 1] or lines[row - 1].isspace()]
    return min(inside, key=lambda row: abs(row - wanted), default=wanted)
