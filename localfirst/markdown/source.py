"""The text of a status file, from the disk into lines.

`read_source` is the only place where a file is refused; a text, once read, is parsed whatever it holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from localfirst_schema.errors import ValidationError

SIZE_LIMIT_BYTES = 64 * 1024 * 1024

BYTE_ORDER_MARK = "\ufeff"


class Source(NamedTuple):
    """Lines without their ends, and how they ended."""

    lines: list[str]
    newline: Literal["\n", "\r\n"]
    byte_order_mark: bool


def read_source(path: Path) -> str:
    """The file's text.

    Raises `ValidationError` (field `file`) for one that is too large, holds NUL or is not UTF-8, and `OSError` for one
    that cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(SIZE_LIMIT_BYTES + 1)
    if len(data) > SIZE_LIMIT_BYTES:
        raise ValidationError("file", f"must not be larger than {SIZE_LIMIT_BYTES // 1024 // 1024} MiB")
    at = data.find(b"\0")
    if at >= 0:
        raise ValidationError("file", f"must not hold a NUL byte (line {data.count(10, 0, at) + 1})")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(10, 0, error.start) + 1
        raise ValidationError("file", f"must be UTF-8 (line {line} is not)") from error


def split_lines(text: str) -> Source:
    """Splits at LF, CRLF and CR CR LF (what a doubled conversion leaves), at CR only where there is no LF at all.

    The other characters at which `str.splitlines` splits are part of a line.
    """
    marked = text.startswith(BYTE_ORDER_MARK)
    if marked:
        text = text[1:]
    if "\r" not in text:
        return Source(text.split("\n"), "\n", marked)
    if "\n" not in text:
        return Source(text.split("\r"), "\n", marked)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    newline: Literal["\n", "\r\n"] = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    return Source(lines, newline, marked)
