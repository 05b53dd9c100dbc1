"""What one check found."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One line of the doctor's: `broken` is what keeps the program from working, `warning` what a person should know."""

    subject: str
    level: Literal["ok", "warning", "broken"]
    words: str
