"""Identifiers: random ones that sort by time, and deterministic ones for things that two laptops may create alike.

A natural id is a UUIDv8 (RFC 9562, section 5.8) made of the first 16 bytes of
``SHA-256(project NUL entity NUL part NUL part …)`` over NFC-normalised UTF-8; PostgreSQL computes the same value in
``localfirst.natural_id``. Two offline creations of the vendor "Alder" therefore meet in one row.
"""

from __future__ import annotations

import hashlib
import os
import time
import unicodedata
from uuid import UUID


def _with_version(raw: bytes, version: int) -> str:
    digits = bytearray(raw)
    digits[6] = (digits[6] & 0x0F) | (version << 4)
    digits[8] = (digits[8] & 0x3F) | 0x80
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    Time-ordered, so that inserts go to the right edge of a B-tree. Nothing else relies on its order.
    """
    return _with_version((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10), 7)


def natural_id(project: str, entity: str, *parts: str) -> str:
    """The id of the thing that `parts` name within `project`; equal on every client and in PostgreSQL."""
    normal = "\x00".join(unicodedata.normalize("NFC", part) for part in (project, entity, *parts))
    return _with_version(hashlib.sha256(normal.encode()).digest()[:16], 8)


def project_id(name: str) -> str:
    """The id of a project: two laptops that both created it offline have created the same one."""
    return natural_id("", "project", name)


UUID_LENGTH = 36


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in any spelling that PostgreSQL reads."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def canonical_uuid(text: str) -> str:
    """The UUID in its canonical spelling (lower case, with dashes). Raises ValueError."""
    return str(UUID(text))
