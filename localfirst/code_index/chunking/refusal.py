"""Text that is not worth an index, told by its content: generated, minified, or a private key."""

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
"""Characters; nobody writes such a line of code."""

_MEAN_LINE = 250
_ENOUGH = 2_000


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
    if len(text) > _MEAN_LINE * len(lines):
        return SkipRule.MINIFIED, f"{len(text) // max(len(lines), 1)} characters per line"
    longest = max(map(len, lines))
    if longest > LONG_LINE:
        packed = sum(length for length in map(len, lines) if length > LONG_LINE)
        if packed * 2 > len(text):
            return SkipRule.MINIFIED, f"a line of {longest} characters"
    return None
