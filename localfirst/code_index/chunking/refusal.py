"""Text that is not worth an index, recognised by its content: generated, minified, or a private key."""

from __future__ import annotations

import re

from localfirst.code_index.chunking.languages import PROSE
from localfirst.code_index.skipped import SkipRule

HEAD_CHARACTERS = 2_000
"""Generators say so at the top of a file, after a licence at most."""

_GENERATED = re.compile(
    r"^\W*(?:"
    r"@generated\b"
    r"|.*\bgenerated\s*(?:by|from|for|with|using|on|at|file|code|source|class|do\b|[-.,;:!(]).*\bdo\s+not\s+(?:edit|modify|change)\b"
    r"|.*\bdo\s+not\s+(?:edit|modify)\b.*\bgenerated\b"
    r"|.*<auto-?generated\s*/?>"
    r"|(?:this|the)?\s*(?:\w+\s+){0,3}(?:is|was|has\s+been)\s+(?:auto-?|automatically\s+)generated\b"
    r"|do\s+not\s+edit(?:\s+(?:this\s+file|by\s+hand|manually|directly))?\W*$"
    r")",
    re.IGNORECASE | re.MULTILINE,
)
_COMMENT = re.compile(
    r"\s*(?:$|#|//|/\*|\*|--|;|<[!?]|%|@|!|rem\b|package\b|[\"']use strict|\"\"\"|\'\'\')",
    re.IGNORECASE,
)
"""What the lines before a generator's mark begin with; its mark stands before the first line of code."""
_PRIVATE_KEY = re.compile(r"\A\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY")

LONG_LINE = 1_000
"""Characters; nobody writes such a line of code, though a prompt or a picture may stand in one."""

_MEAN_LINE = 250
_ENOUGH = 2_000

_MINIFIED = frozenset(("javascript", "typescript", "tsx", "css", "scss", "less", "json", "xml", "vue", "svelte"))
"""Languages that programs pack into long lines. In others a long line is a value, and the rest was written by somebody."""

_WRITTEN_LINES = 3
"""So many lines of code beside the long ones, and a file of such a language was written by somebody too."""


def refusal(text: str, lines: list[str], language: str) -> tuple[SkipRule, str] | None:
    """The rule that leaves the text out, with what was seen; None where it belongs to the index."""
    if _PRIVATE_KEY.match(text):
        return SkipRule.SECRET, "private key"
    head = text[:HEAD_CHARACTERS]
    if "enerated" in head or "ENERATED" in head or "edit" in head.lower():
        for line in head.split("\n"):
            if not _COMMENT.match(line):
                break
            if _GENERATED.match(line):
                return SkipRule.GENERATED, line.strip()[:100]
    if language in PROSE or len(text) < _ENOUGH:
        return None
    short = [line for line in lines if len(line) <= LONG_LINE]
    characters = sum(map(len, short))
    if characters > max(_ENOUGH, _MEAN_LINE * len(short)):
        return SkipRule.MINIFIED, f"{characters // len(short)} characters per line"
    packed = len(text) - characters
    if language in _MINIFIED and packed * 2 > len(text):
        written = sum(1 for line in short if not _COMMENT.match(line))
        if written < _WRITTEN_LINES:
            return SkipRule.MINIFIED, f"a line of {max(map(len, lines))} characters"
    return None
