"""Times: RFC 3339 in UTC with microseconds and ``Z``, always 27 characters, so that text order is time order.

PostgreSQL gives the same text by ``to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')``. Clocks are for people
to read; nothing is ordered by them.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?")

PG_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


def now() -> str:
    """The present moment of this machine's clock."""
    return from_unix_us(time.time_ns() // 1000)


def from_unix_us(unix_us: int) -> str:
    """Microseconds since 1970 as text."""
    seconds, micros = divmod(unix_us, 1_000_000)
    y, mo, d, h, mi, s, *_ = time.gmtime(seconds)
    return f"{y:04d}-{mo:02d}-{d:02d}T{h:02d}:{mi:02d}:{s:02d}.{micros:06d}Z"


def from_datetime(moment: datetime) -> str:
    """A datetime as text; a naive one is taken as UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0") + f"{moment.microsecond:06d}Z"


def parse(text: str) -> datetime:
    """Reads RFC 3339, also a plain date, or a time without offset, which is taken as UTC. Raises ValueError."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError("not a time as in RFC 3339")
    moment = datetime.fromisoformat(text.upper())
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not between the years 1 and 9999 in UTC") from None


def canonical(text: str) -> str:
    """Any RFC 3339 time (or date) in the canonical form. Raises ValueError."""
    return from_datetime(parse(text))
