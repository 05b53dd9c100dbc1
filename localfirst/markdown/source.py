"""The text of a status file, from the disk into lines.

`read_source` is the only place where a file is refused; a text, once read, is parsed whatever it holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from localfirst_schema.errors import ValidationError

from localfirst.checkout import CheckoutFile, TooLargeError, file_named_by_user

SIZE_LIMIT_BYTES = 64 * 1024 * 1024
"""Of a file that somebody asks to bring in, and may wait for."""

REFRESH_LIMIT_BYTES = 2 * 1024 * 1024
"""Of a status file that is read beside other work: of the largest it takes a second or two."""

BYTE_ORDER_MARK = "\ufeff"


class Source(NamedTuple):
    """Lines without their ends, and how they ended."""

    lines: list[str]
    newline: Literal["\n", "\r\n"]
    byte_order_mark: bool


def read_source(file: CheckoutFile | Path, limit_bytes: int = SIZE_LIMIT_BYTES) -> str:
    """The file's text; a path is one that the user has named.

    Raises `ValidationError` (field `file`) for one that is too large, holds NUL or is not UTF-8, and `OSError` for one
    that cannot be read.
    """
    try:
        data = (file_named_by_user(file) if isinstance(file, Path) else file).read(limit_bytes)
    except TooLargeError:
        raise ValidationError("file", f"must not be larger than {limit_bytes // 1024 // 1024} MiB") from None
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
