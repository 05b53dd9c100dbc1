"""Bytes as text with ``\\n`` between its lines, or the reason why they are none."""

from __future__ import annotations

import re

from localfirst.code_index.skipped import SkipRule

# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

# Control characters that no text has; tab, line ends, form feed and escape (terminal recordings) it may have.
_NEVER_IN_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\x0b\x1b\x08")) + b"\x7f"
_LATIN_SHARE = 0.3
_LINE_ENDS = re.compile(r"\r\n?")


def decoded(content: bytes) -> str | tuple[SkipRule, str]:
    """The text, or the rule and what was seen.

    UTF-8, UTF-16 and UTF-32 by their byte-order marks, UTF-8 without one, else Latin-1 if that looks like text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                text = content[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                return (
                    SkipRule.UNDECODABLE,
                    f"marked as {encoding.upper()}, but {error.reason} at byte {error.start + len(mark)}",
                )
            return (SkipRule.BINARY, "NUL character") if "\0" in text else _with_line_feeds(text)
    if b"\0" in content:
        return SkipRule.BINARY, f"NUL at byte {content.index(0)}"
    try:
        return _with_line_feeds(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _latin(content, error.start)


def _latin(content: bytes, first: int) -> str | tuple[SkipRule, str]:
    """Latin-1 takes any bytes, so what they are is judged by how many of them text would not have."""
    odd = len(content) - len(content.translate(None, _NEVER_IN_TEXT))
    high = len(content) - len(content.translate(None, bytes(range(128, 256))))
    # C1 controls are no letters in Latin-1, and quotes and dashes in the code page of Windows, which is what such files
    # mostly are.
    if odd or high > _LATIN_SHARE * len(content):
        return SkipRule.UNDECODABLE, f"neither UTF-8 (byte {first}) nor Latin-1 text"
    try:
        return _with_line_feeds(content.decode("cp1252"))
    except UnicodeDecodeError:
        return _with_line_feeds(content.decode("latin-1"))


def _with_line_feeds(text: str) -> str:
    return _LINE_ENDS.sub("\n", text) if "\r" in text else text
