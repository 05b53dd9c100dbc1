"""Which of the hosts in one address is taken: the primary, wherever it stands in the list; else a standby, which can be read.

libpq's `target_session_attrs` can ask for a primary or take whatever comes first; an address that says which keeps its word.
Otherwise each host is tried in turn, once: a standby is kept until it is known that no other host is the primary. The host that
was the primary last is tried first, so that a dead one at the head of the list is not waited for with each connection.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import psycopg

from localfirst_sync.postgres.bounded import BoundedConnection

_FIRST: dict[bytes, int] = {}
"""By address: the place of the host that was the primary last."""

_LISTS = (("host", "PGHOST"), ("hostaddr", "PGHOSTADDR"), ("port", "PGPORT"))


def open_primary(open_one: Callable[[dict[str, Any]], BoundedConnection], settings: Mapping[str, Any]) -> BoundedConnection:
    """A connection by `open_one`, which is given the settings with one host. Raises psycopg.Error."""
    if settings.get("target_session_attrs") or os.environ.get("PGTARGETSESSIONATTRS"):
        return open_one(dict(settings))
    hosts = list(_one_by_one(settings))
    if len(hosts) == 1:
        return open_one(hosts[0])
    key = hashlib.sha256(repr(sorted(settings.items())).encode(errors="surrogatepass")).digest()
    standby, failure = None, None
    for place in sorted(range(len(hosts)), key=lambda one: (one != _FIRST.get(key), one)):
        try:
            connection = open_one(hosts[place])
            is_standby = _is_standby(connection)
        except psycopg.Error as error:
            failure = failure or error  # which of them tells the most is decided elsewhere (`failure.not_made`)
            continue
        if not is_standby:
            _FIRST[key] = place
            _close(standby)
            return connection
        _close(standby)
        standby = connection
    if standby is not None:
        return standby
    assert failure is not None
    raise failure


def _one_by_one(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    lists = {name: value.split(",") for name, variable in _LISTS if (value := _value(settings, name, variable))}
    count = max((len(values) for name, values in lists.items() if name != "port"), default=1)
    if any(len(values) not in (1, count) for values in lists.values()):
        yield dict(settings)  # libpq says what is wrong
        return
    for place in range(count):
        yield {**settings, **{name: values[place if len(values) > 1 else 0] for name, values in lists.items()}}


def _value(settings: Mapping[str, Any], name: str, variable: str) -> str:
    return str(settings.get(name) or os.environ.get(variable) or "")


def _is_standby(connection: BoundedConnection) -> bool:
    """Servers report it at the start; a pooler may keep that to itself."""
    if (reported := connection.info.parameter_status("in_hot_standby")) is not None:
        return reported == "on"
    try:
        return connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone() == (True,)
    except psycopg.Error:
        _close(connection)
        raise


def _close(connection: BoundedConnection | None) -> None:
    if connection is not None:
        with suppress(psycopg.Error):
            connection.close()
