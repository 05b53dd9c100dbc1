"""A session whose replica is away (its place cannot be written, its disk is gone): reads answer, writes say why not.

It has what operations need of a `Session`. The replica is tried again with every write, and every few seconds with a read;
as soon as it is there, everything goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst.replica.act import Act
from localfirst.session import Session
from localfirst.settings import Settings

RETRY_S = 5.0


class SessionWithoutReplica:
    """Stands for a `Session` until there is one; `healed` is that one."""

    def __init__(self, settings: Settings, cause: LocalfirstError) -> None:
        self.settings = settings
        self.client_name: str | None = None
        self.link = None
        self.healed: Session | None = None
        self._cause = cause
        self._tried_at = time.monotonic()
        from localfirst.reading.layers import next_layer  # reading YAML and git is not needed before it is

        self._layer = next_layer(settings)
        self.replica = self._layer.rows
        self.project_id = str(self.replica.execute("SELECT project_id FROM replica").get)

    def heal(self, *, now: bool) -> Session | None:
        """Tries to open the replica again, at once or when it is time to."""
        if self.healed is None and (now or time.monotonic() - self._tried_at >= RETRY_S):
            self._tried_at = time.monotonic()
            try:
                self.healed = Session(self.settings)
            except LocalfirstError as error:
                self._cause = error
        if self.healed is not None:
            self.healed.client_name = self.client_name
        return self.healed

    def close(self) -> None:
        """Lets go of everything."""
        if self.healed is not None:
            self.healed.close()
        self.replica.close()

    def who(self, *given: str | None) -> str | None:
        """Who would write."""
        return next((name for name in given if name), self.settings.client or self.client_name)

    @contextmanager
    def act(self, *by: str | None) -> Iterator[Act]:
        """Nothing can be written. Raises the error that says why."""
        raise UnavailableError(self._cause.message, **self._cause.details)
        yield  # makes it a generator, as a context manager has to be

    def read(self, row_id: str | None = None) -> dict[str, Any]:
        """The common fields of a read's result."""
        warnings = [self._layer.warning]
        if self.settings.database_url:
            warnings.insert(0, "database_unavailable")
        return {"success": True, "data_source": self._layer.source, "warnings": warnings}

    def of_replica(self) -> dict[str, Any]:
        """The same."""
        return self.read()

    def catch_up(self) -> bool:
        """There is nothing to catch up with."""
        return False

    def written(self, row_id: str | None = None) -> dict[str, Any]:
        """Nothing was written."""
        raise UnavailableError(self._cause.message, **self._cause.details)

    def take_announcement(self) -> str | None:
        """Nothing to announce: each answer carries its warning."""
        return None


def open_session(settings: Settings) -> Session | SessionWithoutReplica:
    """A session, with the replica if it can be had. Raises what is wrong with the settings or with the project's name."""
    try:
        return Session(settings)
    except UnavailableError as error:
        return SessionWithoutReplica(settings, error)
