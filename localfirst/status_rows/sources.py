"""All lines that one migration reads: those of the status file, then those of each prompt file, numbered through.

So an entry knows its lines by one number wherever it comes from, and `where` says it in a person's words.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sources:
    """The lines, and from which line on which file has them; the status file itself has no name here."""

    lines: list[str]
    _starts: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)

    def add(self, name: str, text: str, lines: Sequence[str]) -> int:
        """Adds a file; returns how many lines stand before it."""
        before = len(self.lines)
        self._starts.append(before + 1)
        self._names.append(name)
        self._texts.append(text)
        self.lines.extend(lines)
        return before

    def where(self, line: int) -> str:
        """`line 12`, or `docs/prompts/a.md, line 3`."""
        at = bisect_right(self._starts, line) - 1
        return f"line {line}" if at < 0 else f"{self._names[at]}, line {line - self._starts[at] + 1}"

    def in_file(self, line: int) -> tuple[str | None, int]:
        """The name of the prompt file that a line is of, None for the status file, and its number there."""
        at = bisect_right(self._starts, line) - 1
        return (None, line) if at < 0 else (self._names[at], line - self._starts[at] + 1)

    def digest(self, text: str) -> str:
        """SHA-256 of the status file's text, and of every prompt file with its name where there are any."""
        digest = hashlib.sha256(text.encode())
        for name, content in zip(self._names, self._texts, strict=True):
            digest.update(f"\0{name}\0".encode())
            digest.update(content.encode())
        return digest.hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the prompt files."""
        return tuple(self._names)
