"""The values that somebody gives to settle a conflict: of fields that clash, under the rules of the tools that change them."""

from __future__ import annotations

from typing import Any

import pydantic
from localfirst_schema.arguments import (
    UpdateEnhancement,
    UpdateProjectConfiguration,
    UpdateVendorStatus,
    UpdateWorkItem,
)
from localfirst_schema.entities import CONFIGURATION, ENHANCEMENT, VENDOR, WORK_ITEM, Entity
from localfirst_schema.errors import ValidationError
from localfirst_schema.validation import as_validation_error

_ANY_ID = "00000000-0000-4000-8000-000000000000"
_RULES: dict[str, tuple[type[pydantic.BaseModel], dict[str, Any]]] = {
    WORK_ITEM.name: (UpdateWorkItem, {"id": _ANY_ID, "version": 1}),
    VENDOR.name: (UpdateVendorStatus, {"name": "any", "version": 1}),
    ENHANCEMENT.name: (UpdateEnhancement, {"id": _ANY_ID, "version": 1}),
    CONFIGURATION.name: (UpdateProjectConfiguration, {"version": 1}),
}
"""The arguments that say what each field may hold, and what else they ask for."""


def check_given(entity: Entity, conflict: dict[str, Any], given: dict[str, Any]) -> None:
    """Raises ValidationError for a field that does not clash, and for a value that the tools would not take."""
    clashing = sorted({name.partition(".")[0] for name in (*conflict["fields"], *conflict["mine"])} - {"id"})
    for name in given:
        if name not in clashing:
            raise ValidationError(
                f"fields.{name}",
                "must be a field that clashes",
                f"fields.{name} does not clash here; give {', '.join(clashing)}.",
            )
    model, rest = _RULES.get(entity.name, (None, {}))
    if model is None:
        return
    for name, value in given.items():
        if value is None and name in model.model_fields and name not in getattr(model, "clearable", ()):
            raise ValidationError(f"fields.{name}", "must not be null")
    known = {name: value for name, value in given.items() if name in model.model_fields and name not in rest}
    try:
        model.model_validate({**rest, **known})
    except pydantic.ValidationError as error:
        raise as_validation_error(error, known, prefix="fields") from None
