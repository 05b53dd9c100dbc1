"""A client's thread that looks every few seconds for jobs without a worker, and starts one for them."""

from __future__ import annotations

import logging

from localfirst_schema.errors import LocalfirstError
from localfirst_sync.supervised import Supervised

from localfirst.code_index.jobs import table
from localfirst.code_index.worker import start
from localfirst.replica.connection import connect, immediate
from localfirst.settings import Settings

logger = logging.getLogger("localfirst.worker")

LOOK_EVERY_S = 3.0


def keep(settings: Settings) -> Supervised:
    """Looks now and then for as long as the process lives, or until what is returned is stopped."""

    def look_on() -> None:
        problem: str | None = None
        is_first = True
        while True:
            try:
                look(settings, is_first=is_first)
                is_first = False
                problem = None
            except (LocalfirstError, OSError) as error:
                # The replica's own operations tell users of it; here once is enough.
                if problem != (problem := str(error)):
                    logger.warning("cannot look for jobs that nobody works on: %s", error)
            if keeper.stopping.wait(LOOK_EVERY_S):
                return

    keeper = Supervised(look_on, "localfirst-job-keeper")
    keeper.start()
    return keeper


def look(settings: Settings, *, is_first: bool = False) -> None:
    """Starts a worker if a job needs one. Raises LocalfirstError where the replica cannot be read.

    Args:
        is_first: at a client's start a worker that only waits is replaced by one with the client's settings.
    """
    if not settings.replica.exists():
        return  # it was taken away: its session writes it again, nothing is to be created in its place
    connection = connect(settings.replica)
    try:
        is_needed = table.has_active(connection)
        is_to_change = False
        if is_needed and is_first:
            with immediate(connection):
                is_to_change = table.ask_worker_to_end(connection)
    finally:
        connection.close()
    if is_to_change:
        start.ensure_another(settings)
    elif is_needed:
        start.ensure(settings)
