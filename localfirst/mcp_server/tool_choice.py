"""Which tools the server offers: all, or those of the groups and names that the user chose, for a model's context is dear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from localfirst_schema.errors import ValidationError

from localfirst.operations.operation import Group, Operation

FIELD = "LOCALFIRST_TOOLS"
ALL = "all"

GROUPS: tuple[Group, ...] = get_args(Group)


def chosen(operations: Sequence[Operation], choice: str) -> tuple[Operation, ...]:
    """The operations that `choice` names: ``all``, or groups and names of tools with commas between them, in any order.

    Raises ValidationError for a name that is neither.
    """
    names: set[str] = set()
    known = {operation.name for operation in operations}
    for name in (part.strip() for part in choice.split(",")):
        if name == ALL:
            names |= known
        elif name in GROUPS:
            names.update(operation.name for operation in operations if name in operation.groups)
        elif name in known:
            names.add(name)
        else:
            raise ValidationError(
                FIELD,
                f"must be all, or names of tools and groups ({', '.join(GROUPS)}) with commas",
                f"{FIELD}: {name!r} is neither a tool nor a group; the groups are {', '.join(GROUPS)}, and all is all of them.",
            )
    return tuple(operation for operation in operations if operation.name in names)
