"""A tool's arguments, checked, with every mistake reported in the contract's form."""

from __future__ import annotations

from typing import Any

from localfirst_schema import validation
from pydantic import BaseModel


def checked(tool: str, model: type[BaseModel], arguments: dict[str, Any]) -> BaseModel:
    """The arguments as the tool's model; raises `localfirst_schema.errors.ValidationError`."""
    return validation.checked(model, arguments, advice=f"correct this and call {tool} again")
