"""A file's content as chunks. Pure: the same path and bytes give the same chunks everywhere, and nothing is read or fetched."""

from __future__ import annotations

import re

import msgspec

from localfirst.code_index.chunk import Chunk
from localfirst.code_index.chunking.decoding import decoded
from localfirst.code_index.chunking.grammar import syntax_tree
from localfirst.code_index.chunking.headings import HAVE_HEADINGS, headings
from localfirst.code_index.chunking.languages import language_of
from localfirst.code_index.chunking.long_lines import shortened
from localfirst.code_index.chunking.outline import outline
from localfirst.code_index.chunking.partition import Cut, partition
from localfirst.code_index.chunking.refusal import refusal
from localfirst.code_index.skipped import Skipped, SkipRule

_UNINDENTED = re.compile(r"\S")


class CutFile(msgspec.Struct, frozen=True):
    """A file's chunks, in order; every line that is not blank stands in exactly one, a very long one by its beginning."""

    language: str
    chunks: tuple[Chunk, ...]


def cut(path: str, content: bytes) -> CutFile | Skipped:
    """The chunks of a file, or the rule of its content that leaves it out (`Skipped.path` is `path`)."""
    text = decoded(content)
    if isinstance(text, tuple):
        return Skipped(path, *text)
    lines = text.split("\n")
    language = language_of(path, lines[0])
    refused = refusal(text, lines, language)
    if refused is not None:
        return Skipped(path, *refused)
    cuts, softer, filler = _cuts(language, text, lines)
    chunks = partition(shortened(lines, language), cuts, softer, filler)
    return CutFile(language, tuple(chunks)) if chunks else Skipped(path, SkipRule.EMPTY, "blank lines only")


def _cuts(language: str, text: str, lines: list[str]) -> tuple[list[Cut], list[int], str]:
    """Where to cut, where to split, and the kind of what lies outside of every definition."""
    if language in HAVE_HEADINGS:
        return *headings(language, lines), "text"
    source = text.encode("utf-8", "surrogatepass")
    root = syntax_tree(language, source)
    if root is not None:
        return *outline(language, source, root, "block"), "block"
    return [], _paragraphs(lines), "lines"


def _paragraphs(lines: list[str]) -> list[int]:
    """Rows after a blank line that are not indented."""
    return [row for row in range(1, len(lines)) if _UNINDENTED.match(lines[row]) and not lines[row - 1].strip()]
