"""One line of an ignore file as a regular expression over bytes that means what git means by it, in linear time. Pure.

A matcher that goes back and tries again takes exponential time for `*a*a*a*b`. It never has to: within one folder's name the
first place where the text between two stars fits is as good as any later one, and so is the first row of folders between two
`**`. So each of them is an atomic group, and the time is at most the length of the line times that of the path.

Git's own peculiarities are kept: the text before the first wildcard is compared apart, so `**` behind it stands at a beginning;
an unfinished `[` matches nothing; `?` is one byte.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SPECIAL = re.compile(rb"[*?\[\\]")
_CLASSES = {
    b"alnum": rb"[0-9A-Za-z]", b"alpha": rb"[A-Za-z]", b"blank": rb"[ \t]", b"cntrl": rb"[\x00-\x1f\x7f]", b"digit": rb"[0-9]",
    b"graph": rb"[!-~]", b"lower": rb"[a-z]", b"print": rb"[ -~]", b"punct": rb"[!-/:-@\[-`{-~]", b"space": rb"[ \t-\r]",
    b"upper": rb"[A-Z]", b"xdigit": rb"[0-9A-Fa-f]",
}  # fmt: skip
_NEXT_FOLDERS = {"here": b"", "deep": rb"(?:[^/]*+/)*?", "deeper": rb"(?:[^/]*+/)+?"}


class Rule(NamedTuple):
    """What a line says. `source` is matched from the beginning: of the last name if `is_of_name`, else of the whole path."""

    is_negated: bool
    is_of_folders: bool
    is_of_name: bool
    source: bytes


class _NeverError(Exception):
    """The pattern matches nothing."""


def rule_of_line(line: bytes) -> Rule | None:
    """The rule; None for a line that is empty, a comment, or matches nothing."""
    line = _without_trailing_blanks(line.partition(b"\0")[0])
    if not line or line.startswith(b"#"):
        return None
    is_negated = line.startswith(b"!")
    pattern = line[is_negated:]
    is_of_folders = pattern.endswith(b"/")
    if is_of_folders:
        pattern = pattern[:-1]
    is_of_name = b"/" not in pattern
    if not is_of_name:
        pattern = pattern.removeprefix(b"/")
    if not pattern:
        return None
    found = _SPECIAL.search(pattern)
    try:
        if found is None:
            source = re.escape(pattern) + rb"\Z"
        elif is_of_name:
            source = _translated(pattern, crosses=False)
        else:
            source = re.escape(pattern[: found.start()]) + _translated(pattern[found.start() :], crosses=True)
    except _NeverError:
        return None
    return Rule(is_negated, is_of_folders, is_of_name, source)


def _without_trailing_blanks(line: bytes) -> bytes:
    """Without the spaces at its end; one behind a backslash stays."""
    end, at = 0, 0
    while at < len(line):
        if line[at] == 0x5C:
            at = end = min(at + 2, len(line))
            continue
        at += 1
        if line[at - 1] != 0x20:
            end = at
    return line[:end]


def _translated(pattern: bytes, *, crosses: bool) -> bytes:
    """The expression. `crosses`: whether `**` may stand for folders."""
    blocks: list[tuple[str, list[bytes]]] = [("here", [b""])]
    ends_deep = False
    at = 0
    while at < len(pattern):
        one = pattern[at : at + 1]
        if one == b"*":
            begin = at
            while pattern[at : at + 1] == b"*":
                at += 1
            is_deep = crosses and at - begin > 1 and (begin == 0 or pattern[begin - 1 : begin] == b"/")
            if is_deep and at == len(pattern):
                ends_deep = True
            elif is_deep and pattern[at : at + 1] == b"/":
                blocks.append(("deep", [b""]))
                at += 1
            elif is_deep and pattern[at : at + 2] == b"\\/":
                blocks.append(("deeper", [b""]))
                at += 2
            else:
                blocks[-1][1].append(b"")
            continue
        if one == b"?":
            source, at = b"[^/]", at + 1
        elif one == b"[":
            source, at = _class(pattern, at + 1)
        elif one == b"\\":
            if at + 1 >= len(pattern):
                raise _NeverError
            source, at = re.escape(pattern[at + 1 : at + 2]), at + 2
        else:
            source, at = re.escape(one), at + 1
        blocks[-1][1][-1] += source
    parts = [_NEXT_FOLDERS[kind] + _row(pieces) for kind, pieces in blocks]
    atomic = parts if ends_deep else parts[:-1]
    last = b".*" if ends_deep else parts[-1]
    return b"".join(b"(?>" + part + b")" for part in atomic) + last + rb"\Z"


def _row(pieces: list[bytes]) -> bytes:
    """Pieces with a star between each two."""
    if len(pieces) == 1:
        return pieces[0]
    return pieces[0] + b"".join(b"(?>[^/]*?" + piece + b")" for piece in pieces[1:-1]) + b"[^/]*" + pieces[-1]


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The expression of what stands in brackets, and where it ends. Raises _NeverError for one without an end."""
    is_negated = pattern[at : at + 1] in (b"!", b"^")
    at += is_negated
    chosen: set[int] = set()
    before = 0
    is_first = True
    while is_first or pattern[at : at + 1] != b"]":
        is_first = False
        if at >= len(pattern):
            raise _NeverError
        one = pattern[at]
        if one == 0x5C:
            at += 1
            if at >= len(pattern):
                raise _NeverError
            one = pattern[at]
            chosen.add(one)
        elif one == 0x2D and before and at + 1 < len(pattern) and pattern[at + 1] != 0x5D:
            at += 1
            if pattern[at] == 0x5C:
                at += 1
                if at >= len(pattern):
                    raise _NeverError
            chosen.update(range(before, pattern[at] + 1))
            one = 0
        elif pattern[at : at + 2] == b"[:":
            end = pattern.find(b"]", at + 2)
            if end < 0:
                raise _NeverError
            if end - 1 >= at + 2 and pattern[end - 1] == 0x3A:
                members = _CLASSES.get(pattern[at + 2 : end - 1])
                if members is None:
                    raise _NeverError
                chosen.update(number for number in range(256) if re.fullmatch(members, bytes((number,)), re.DOTALL))
                at, one = end, 0
            else:
                chosen.add(one)
        else:
            chosen.add(one)
        before = one
        at += 1
    allowed = (set(range(1, 256)) - chosen if is_negated else chosen) - {0x2F}
    if not allowed:
        raise _NeverError
    return b"[" + b"".join(b"\\x%02x" % number for number in sorted(allowed)) + b"]", at + 1
