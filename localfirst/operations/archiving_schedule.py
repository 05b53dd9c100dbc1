"""Archiving by a schedule: once a day a server's thread archives what was created more than a year ago.

Not within the first minutes, so that nobody waits for it. A replica with a server is archived only while it is level with it,
since only then is it known which items are above something current. Several servers do no harm: what one has archived the next
leaves alone. `LOCALFIRST_ARCHIVING=no`, or `archiving = "no"` in `.localfirst.toml`, turns it off.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import apsw
from localfirst_schema import timestamps
from localfirst_schema.errors import LocalfirstError
from localfirst_sync.supervised import Supervised

from localfirst.operations.archiving import archive_older, cutoff_of
from localfirst.replica.act import act
from localfirst.replica.connection import connect, sqlite_errors
from localfirst.settings import Settings

logger = logging.getLogger("localfirst.archiving")

BY = "localfirst archiving"
"""What archived items have in `updated_by`."""

AGE_DAYS = 365
FIRST_AFTER_S = 120.0
EVERY_S = 24 * 3600.0
NOT_LEVEL_S = 600.0
"""When it is tried again where the server was away."""

LEVEL_WITHIN = timedelta(minutes=30)

_ANY = "SELECT EXISTS (SELECT 1 FROM work_items WHERE created_at < ? AND archived_at IS NULL AND deleted_at IS NULL)"


def keep(
    settings: Settings, wake: Callable[[], None], *, first_after_s: float = FIRST_AFTER_S, every_s: float = EVERY_S
) -> Supervised:
    """Archives now and then for as long as the process lives, or until what is returned is stopped.

    Args:
        wake: called after something was archived: there is something to send.
    """

    def archive_on() -> None:
        wait_s = first_after_s
        while not schedule.stopping.wait(wait_s):
            try:
                archived = archive_if_level(settings)
            except (LocalfirstError, OSError) as error:
                # The replica's own operations tell users of it; it is tried again.
                logger.warning("old items could not be archived: %s", error)
                archived = None
            if archived:
                wake()
            wait_s = min(NOT_LEVEL_S, every_s) if archived is None else every_s

    schedule = Supervised(archive_on, "localfirst-archiving")
    if settings.archiving:
        schedule.start()
    return schedule


def archive_if_level(settings: Settings) -> int | None:
    """Archives what is old enough and returns how many items; None where the replica is not level with its server.

    Raises LocalfirstError where the replica cannot be opened or written.
    """
    if not settings.replica.exists():
        return None  # it was taken away: its session writes it again, nothing is to be created in its place
    connection = connect(settings.replica)
    try:
        if settings.has_server and not _is_level(connection):
            return None
        with sqlite_errors():
            if not connection.execute(_ANY, (cutoff_of(AGE_DAYS),)).get:
                return 0
        with act(connection, BY) as open_act:
            if settings.has_server and open_act.access != "write":
                return None  # those who may write see to it
            archived = archive_older(open_act, AGE_DAYS)
    finally:
        connection.close()
    if archived:
        logger.info("%d items created more than a year ago were archived; they stay readable", archived)
    return archived


def _is_level(connection: apsw.Connection) -> bool:
    with sqlite_errors():
        at = connection.execute("SELECT last_sync_at FROM replica").get
    return at is not None and datetime.now(UTC) - timestamps.parse(at) <= LEVEL_WITHIN
