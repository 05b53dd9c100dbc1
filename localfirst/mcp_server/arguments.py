"""A tool's arguments, checked, with every mistake told in the contract's form."""

from __future__ import annotations

from typing import Any

import pydantic
from localfirst_schema.validation import as_validation_error
from pydantic import BaseModel


def checked(tool: str, model: type[BaseModel], arguments: dict[str, Any]) -> BaseModel:
    """The arguments as the tool's model; raises `localfirst_schema.errors.ValidationError`."""
    try:
        return model.model_validate(arguments)
    except pydantic.ValidationError as error:
        known = [field.alias or name for name, field in model.model_fields.items()]
        raise as_validation_error(error, arguments, known=known, advice=f"correct this and call {tool} again") from None
