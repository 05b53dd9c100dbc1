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


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `idempotent` says that repeating it with equal arguments changes nothing more.

    `rows`: the entity whose rows it answers with, which are lean (`lean`) unless `detail` is ``full``.
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
