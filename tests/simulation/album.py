"""What was displayed to somebody as which version of which row, in a whole run."""

from __future__ import annotations

from typing import Any

from localfirst_schema.entities import Entity
from localfirst_schema.wire import Row

from simulation.content import content, equal

Displayed = dict[str, Any]


class Album:
    """Attributes:
    was_set_back: the server was restored to an older state at some time; versions that it logged before are logged anew,
    otherwise.
    """

    def __init__(self) -> None:
        self._displayed: dict[tuple[str, str, int], list[Displayed]] = {}
        self._stood: set[tuple[str, str, int]] = set()
        self.was_set_back = False

    def shows(self, entity: Entity, row: Row) -> None:
        """Somebody is displayed this row."""
        now = content(entity, row) or {}
        pages = self._displayed.setdefault((entity.name, row["id"], row["version"]), [])
        if not any(equal(now, one) for one in pages):
            pages.append(now)

    def stands(self, entity: Entity, row: Row) -> None:
        """The server commits it so: everybody will be displayed it."""
        self._stood.add((entity.name, row["id"], row["version"]))
        self.shows(entity, row)

    def judged(self, entity: str, row_id: str, version: int) -> list[Displayed]:
        """What that version must be one of; nothing if it need not be: of several changes that the server takes at once only
        the last one's version is displayed to all."""
        key = (entity, row_id, version)
        return [] if self.was_set_back or key not in self._stood else self._displayed[key]
