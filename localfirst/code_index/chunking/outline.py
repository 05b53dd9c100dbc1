"""A syntax tree as cuts between its definitions.

Only what may hold a definition is looked at: the top level, the bodies of classes and namespaces, and whatever is too long
for one chunk. The inside of a function that fits into a chunk is never visited, which keeps this cheap beside the parsing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localfirst.code_index.chunking.definitions import CONTAINERS, Definition, Definitions, Part, role
from localfirst.code_index.chunking.partition import MAX_LINES, MERGED_LINES, Cut

if TYPE_CHECKING:
    from tree_sitter import Node

WHOLE_CLASS_LINES = 15
"""A class as short as this is one chunk, members and all."""

_INNER_LINES = 12
"""From here on a function inside a long function is a chunk of its own."""

_CALLBACK_LINES = 4
"""The same for functions inside a long statement: a callback, a module wrapped in a call."""

_MAX_DEPTH = 60


class _Owner(NamedTuple):
    """Whose lines those between definitions are."""

    symbol: str | None
    kind: str
    scope: str | None
    smallest: int = 0
    """Definitions of fewer lines are part of the statements around them; where there is a limit, named values are too."""

    has_methods: bool = False


class _Outline:
    def __init__(self, language: str, source: bytes, filler: str) -> None:
        self.language = language
        self.definition = Definitions(language, source).of
        self.cuts: list[Cut] = []
        self.softer: list[int] = []
        self.top = _Owner(None, filler, None)

    def visit(self, node: Node, owner: _Owner, open_from: int, depth: int) -> None:
        """Cuts around the definitions among the children; others are looked into from `open_from` rows on."""
        language = self.language
        lead, lead_end, last_end = -1, -2, node.start_point.row - 1
        for child in node.named_children:
            start, end = child.start_point.row, _last_row(child)
            kind = child.type
            part = role(language, kind)
            if part is Part.COMMENT:
                if start > last_end:
                    if start > lead_end + 1 or lead < 0:
                        lead = start
                        self.softer.append(start)
                    lead_end = end
                continue
            first = lead if lead >= 0 and start <= lead_end + 1 else start
            if first <= last_end:
                first = last_end + 1
            lead = -1
            found = self.definition(child, kind)
            if found is not None and (owner.smallest == 0 or self._stands_out(found, end - first + 1, owner.smallest)):
                self._define(found, owner, first, end, depth)
            else:
                self.softer.append(first)
                if depth < _MAX_DEPTH and end > start:
                    is_long = end - start >= _INNER_LINES
                    if part is Part.THROUGH or (part is Part.WRAPPER and is_long):
                        self.visit(child, owner, 1, depth + 1)
                    elif part is Part.BRANCH and (is_long or end - start >= open_from):
                        self.visit(child, owner, MERGED_LINES, depth + 1)
                    elif end - start >= open_from:
                        inside = owner if owner.symbol is not None else owner._replace(smallest=_CALLBACK_LINES)
                        self.visit(child, inside, MERGED_LINES, depth + 1)
            if end > last_end:
                last_end = end

    @staticmethod
    def _stands_out(found: Definition, rows: int, smallest: int) -> bool:
        return rows >= smallest and found.kind not in ("object", "constant")

    def _define(self, found: Definition, owner: _Owner, first: int, end: int, depth: int) -> None:
        is_nested = owner.symbol is not None
        symbol = f"{owner.symbol}.{found.name}" if is_nested else found.name
        kind = "method" if found.kind == "function" and owner.has_methods else found.kind
        self.cuts.append(Cut(first, symbol, kind, owner.symbol, True))
        is_container = found.kind in CONTAINERS
        is_long = end - first >= (WHOLE_CLASS_LINES if is_container else MAX_LINES)
        if is_long and depth < _MAX_DEPTH:
            between = "members" if is_container else kind
            has_methods = is_container and found.kind != "module"
            self.visit(
                found.node, _Owner(symbol, between, symbol, 0 if is_container else _INNER_LINES, has_methods), 1, depth + 1
            )
        self.cuts.append(Cut(end + 1, owner.symbol, owner.kind, owner.scope, False))


def _last_row(node: Node) -> int:
    """The row of the last character; a node that ends with a line feed ends on the row before."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point.row else row


def outline(language: str, source: bytes, root: Node, filler: str) -> tuple[list[Cut], list[int]]:
    """Cuts, and rows at which a long piece may be split."""
    made = _Outline(language, source, filler)
    made.visit(root, made.top, MERGED_LINES, 0)
    return made.cuts, made.softer
