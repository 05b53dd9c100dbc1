"""What a migration is going to write: rows, links, and what goes into its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from localfirst_schema.entities import Entity

from localfirst.markdown.document import Entry, Kept, Span
from localfirst.markdown.stored.as_written import Mapped


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """One row.

    Attributes:
        values: columns as `Act.change` takes them. What is missing (`created_at`, `deployed_at`) the file does not say.
        entry: the entry of the file that it comes from; None for the migration's own record.
        mapped: values that the store holds in another form.
        lines: the lines of the file that the row holds, an entry's own and those of its notes.
        links: for a deployment: the rows at the other ends.
    """

    entity: Entity
    id: str
    values: dict[str, Any]
    entry: Entry | None = None
    mapped: tuple[Mapped, ...] = ()
    lines: tuple[Span, ...] = ()
    links: tuple[tuple[Entity, str], ...] = ()

    @property
    def line(self) -> int:
        """The first line, for people to find it."""
        return self.lines[0][0] if self.lines else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a file asks for, in the order in which it is written.

    Attributes:
        kept: texts that belong to no row.
        warnings: sentences with line numbers.
        refused: what no store can hold; a plan with any is not carried out.
    """

    rows: tuple[PlannedRow, ...] = ()
    kept: tuple[Kept, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: tuple[str, ...] = field(default=())
