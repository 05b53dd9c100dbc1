"""A session over one layer that is only read: it has what reading operations need of a `Session`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localfirst_schema.errors import UnavailableError

from localfirst.client.services import Services
from localfirst.fallback.layers import Layer
from localfirst.replica import leases
from localfirst.replica.act import Act
from localfirst.settings import Settings


class LayerSession:
    """Answers from one layer while the replica lacks what is asked for, or is away."""

    def __init__(self, settings: Settings, layer: Layer, *, is_server_away: bool) -> None:
        self.settings = settings
        self.client_name: str | None = None
        self.link = None
        self.replica = layer.rows
        self.project_id = str(layer.rows.execute("SELECT project_id FROM replica").get)
        self.services = Services()
        self._source = layer.source
        self._warnings = [*(["database_unavailable"] if is_server_away else []), layer.warning]

    def read(self, row_id: str | None = None) -> dict[str, Any]:
        """The common fields of a read's result."""
        return {"success": True, "data_source": self._source, "warnings": [*self._warnings]}

    def of_replica(self) -> dict[str, Any]:
        """The same."""
        return self.read()

    is_replica_away = False

    def require_index(self) -> None:
        """Raises UnavailableError: a layer of text knows nothing of code."""
        raise UnavailableError("this copy of the project knows nothing of code and its index.", cause="replica")

    def has_index(self) -> bool:
        """A layer of text knows nothing of code."""
        return False

    def who(self, *given: str | None) -> str | None:
        """Nobody writes here, and nothing is held."""
        return None

    def claimants(self, *given: str | None) -> set[str]:
        """Nobody claims anything here."""
        return {name for name in given if name}

    def server_now(self, later_s: float = 0.0) -> str:
        """The server's time, as far as that is known."""
        return leases.moment(leases.offset_s(self.replica), later_s)

    @contextmanager
    def one_read(self) -> Iterator[None]:
        """Nobody writes to it, so there is one state."""
        yield

    def end_snapshot(self) -> None:
        """There is none."""

    def catch_up(self) -> bool:
        """There is nothing to catch up with."""
        return False

    @contextmanager
    def act(self, *by: str | None, is_shared: bool = True) -> Iterator[Act]:
        """Nothing can be written here."""
        raise UnavailableError("this copy of the project is for reading alone.", cause="replica")
        yield  # makes it a generator, as a context manager has to be
