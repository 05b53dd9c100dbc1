"""Times: RFC 3339 in UTC with microseconds and ``Z``, always 27 characters, so that text order is time order.

PostgreSQL gives the same text by ``to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')``. Clocks are for people
to read; nothing is ordered by them.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?")

_IN_JSON = re.compile(r"(\d{4,6})(-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)([+-])(\d{2,3})(?::(\d\d))?(?::(\d\d))?( BC)?")

_CYCLE_YEARS = 400
"""After so many years the days of the calendar come again."""

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


def of_line(text: str) -> str:
    """A time in the fields of a change, in the canonical form.

    PostgreSQL writes times into JSON in the time zone of whoever changes a row by SQL: zones of old times differ by seconds,
    and the first and the last day that there are may have another year there. Raises ValueError.
    """
    found = _IN_JSON.fullmatch(text)
    if found is None:
        return canonical(text)
    year, rest, sign, hours, minutes, seconds, era = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
    counted = 1 - int(year) if era else int(year)
    cycles = _CYCLE_YEARS if counted <= _CYCLE_YEARS else -_CYCLE_YEARS
    moment = datetime.fromisoformat(f"{counted + cycles:04d}{rest}+00:00") - (offset if sign == "+" else -offset)
    if not 1 <= moment.year - cycles <= 9999:
        raise ValueError("not between the years 1 and 9999 in UTC")
    return from_datetime(moment.replace(year=moment.year - cycles))
