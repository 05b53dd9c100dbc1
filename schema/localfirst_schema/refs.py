"""Refs: short names of work items, easy to read, to say and to type.

A ref is made of the SHA-256 of the id's 16 bytes: the first 4 bits choose its letter, each further 5 bits a symbol. By its
letter it is never the beginning of an id, nor a number; the alphabets have no `i`, `l`, `o` and `u`, which people misread.
Everybody computes the same ref of an id; how many of its symbols are displayed depends on which other items there are.
"""

from __future__ import annotations

import hashlib
import re

LETTERS = "ghjkmnpqrstvwxyz"
"""What a ref begins with."""

SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz"
"""What follows the letter."""

DISPLAYED_MIN, GIVEN_MIN = 6, 4
"""How many symbols of a ref are displayed at least, and how many have to be given."""

LENGTH = 12
"""How many symbols a replica keeps: of a million items two share as many by a chance of one in a million."""

BITS = 4 + 5 * (LENGTH - 1)

DIGITS_MIN = 6
"""How many digits of the beginning of an id are enough to name an item."""

_REF = re.compile(f"[{LETTERS}][{SYMBOLS}]{{{GIVEN_MIN - 1},{(256 - 4) // 5}}}")
_DIGITS = re.compile(f"[0-9a-f]{{{DIGITS_MIN},31}}")
_VALUES = {symbol: value for value, symbol in enumerate(SYMBOLS)}


def number_of(item_id: str) -> int:
    """The ref of an id (a UUID as text) as a number of `BITS` bits; refs and numbers have one order."""
    digest = hashlib.sha256(bytes.fromhex(item_id.replace("-", ""))).digest()
    return int.from_bytes(digest[:8], "big") >> 64 - BITS


def ref_of(number: int, length: int = DISPLAYED_MIN) -> str:
    """The first symbols of the ref with this number."""
    rest = [SYMBOLS[number >> shift & 31] for shift in range(BITS - 9, BITS - 4 - 5 * length, -5)]
    return LETTERS[number >> BITS - 4] + "".join(rest)


def short_ref(item_id: str) -> str:
    """The ref of an id, as short as refs are displayed."""
    return ref_of(number_of(item_id))


def begins(ref: str, item_id: str) -> bool:
    """Whether the ref of an id begins so, however much of it is given."""
    bits = int.from_bytes(hashlib.sha256(bytes.fromhex(item_id.replace("-", ""))).digest(), "big")
    rest = (SYMBOLS[bits >> shift & 31] for shift in range(247, -1, -5))
    return (LETTERS[bits >> 252] + "".join(rest)).startswith(ref)


def as_ref(text: str) -> str | None:
    """What is given as a ref, in lower case; None for what cannot be one."""
    ref = text.strip().lower()
    return ref if _REF.fullmatch(ref) else None


def span(ref: str) -> tuple[int, int]:
    """The lowest number of those whose ref begins so, and the one after the highest."""
    first = LETTERS.index(ref[0])
    for symbol in ref[1:LENGTH]:
        first = first << 5 | _VALUES[symbol]
    left = BITS - 4 - 5 * (min(len(ref), LENGTH) - 1)
    return first << left, first + 1 << left


def shared_symbols(one: int, other: int) -> int:
    """How many symbols two refs have in common at their beginning."""
    different = BITS - (one ^ other).bit_length()
    return 0 if different < 4 else 1 + (different - 4) // 5


def beginning_of_id(text: str) -> str | None:
    """The beginning of an id in the canonical spelling; None for what is none."""
    digits = text.strip().replace("-", "").lower()
    if not _DIGITS.fullmatch(digits):
        return None
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(part for part in parts if part)
