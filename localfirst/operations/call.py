"""Carrying out an operation by its name, with arguments as a caller gives them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from localfirst_schema.errors import ValidationError
from localfirst_schema.validation import checked

from localfirst.client.ports import Source
from localfirst.operations.registry import BY_NAME


def call(session: Source, name: str, arguments: Mapping[str, object]) -> dict[str, Any]:
    """The result. Raises a `LocalfirstError`, also for arguments that break a rule and for a name that no operation has."""
    operation = BY_NAME.get(name)
    if operation is None:
        near = difflib.get_close_matches(name, BY_NAME, 1)
        meant = f"; did you mean {near[0]}?" if near else "."
        raise ValidationError("tool", "must be the name of a tool", f"there is no tool named {name!r}{meant}")
    return operation.run(session, checked(operation.arguments, dict(arguments)))
