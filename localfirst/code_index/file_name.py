"""A file's path as text that every store, JSON and terminal can hold, and back to what the operating system calls it.

On most systems a name is bytes, nearly always UTF-8. A byte that is not becomes one character of U+EF80 … U+EFFF (the private
use that other systems give the same bytes), so that such a file can be indexed, listed and opened like any other. To whoever
asks it is displayed with the byte written out, `bad\\xff.py`, as a shell takes it in `$'bad\\xff.py'`.
"""

from __future__ import annotations

import os

_ESCAPED = {0xDC00 + byte: 0xEF00 + byte for byte in range(0x80, 0x100)}
_DISPLAYED = {0xEF00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}
_UNESCAPED = {text: surrogate for surrogate, text in _ESCAPED.items()}


def as_text(path: str) -> str:
    """The path as the stores keep it, from Python's own form (``surrogateescape``)."""
    return path if path.isascii() else path.translate(_ESCAPED)


def as_bytes(text: str) -> bytes:
    """The operating system's name for a path as the stores keep it."""
    return os.fsencode(text if text.isascii() else text.translate(_UNESCAPED))


def displayed(text: str) -> str:
    """A path as the stores keep it, for somebody to read: bytes that are no UTF-8 are written out as ``\\xff``."""
    return text if text.isascii() else text.translate(_DISPLAYED)
