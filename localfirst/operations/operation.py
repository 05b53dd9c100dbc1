"""What one operation is: a name, typed arguments, a typed result and the function that carries it out.

The MCP server turns each operation into a tool, and the command line into a command, so that both say the same things.
An operation takes the session (what of it, says `client.ports`) and its validated arguments. It returns the result as a plain
dictionary that matches `result` (the model is the output schema, it is not run over the dictionary again: that would cost 5 ms
for a list of 50 items). It fails with a `localfirst_schema.errors.LocalfirstError` and with nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from localfirst_schema.entities import Entity
from localfirst_schema.types import Arguments
from pydantic import BaseModel

Effect = Literal["read", "create", "update", "destroy"]
"""`read` changes nothing; `create` adds; `update` changes what is there; `destroy` may take something away."""

Group = Literal["core", "items", "vendors", "deployments", "enhancements", "project", "sync", "index"]
"""Which tools go together; `core` is what an agent needs that plans, works and hands over."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, and all that others have to know of it.

    Attributes:
        idempotent: repeating it with equal arguments changes nothing more.
        rows: the entity whose rows it answers with, which are lean (`lean`) unless `detail` is ``full``.
        groups: those of `LOCALFIRST_TOOLS` that it is in; none for a command that is no tool.
        command: the command line's command that does the same; None where there is none of its own.
        lists: whose rows it lists: a layer that has no row of these, not even a deleted one, lacks the answer.
        of_replica_alone: layers of text know nothing of what it answers; the replica does, or what stands in for it.
        blocks: it may wait for the network, or for a job, for longer than a moment.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[BaseModel]
    run: Callable[[Any, Any], dict[str, Any]]
    effect: Effect
    idempotent: bool = False
    rows: Entity | None = None
    groups: tuple[Group, ...] = ()
    command: str | None = None
    lists: tuple[Entity, ...] = ()
    of_replica_alone: bool = False
    blocks: bool = False
