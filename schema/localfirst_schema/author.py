"""The name of who writes: what both stores hold of it, and how a name that nobody chose for that is made to fit."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from localfirst_schema import values
from localfirst_schema.errors import ValidationError

AUTHOR_MAX = 100
"""Characters; the constraint of `created_by` and `updated_by` in PostgreSQL."""


def check_author(field: str, name: str) -> str:
    """Returns the name, or raises ValidationError if PostgreSQL would refuse it, and with it every change that bears it."""
    if not 1 <= len(name) <= AUTHOR_MAX:
        raise ValidationError(field, f"must have 1 to {AUTHOR_MAX} characters")
    return values.check_text(field, name)


@lru_cache(maxsize=16)
def fitting_author(name: str | None) -> str | None:
    """A program's or a system's own name without control characters and lone surrogates; None if nothing is left.

    Nobody can be answered that such a name is wrong, and a write is not to fail for it.
    """
    readable = "".join(one for one in name or "" if unicodedata.category(one) not in ("Cc", "Cs"))
    return readable.strip()[:AUTHOR_MAX].rstrip() or None
