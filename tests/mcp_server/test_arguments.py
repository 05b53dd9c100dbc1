"""What a caller reads about wrong arguments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from localfirst_schema.errors import ValidationError
from pydantic import BaseModel, ConfigDict, Field, model_validator

from localfirst.mcp_server.arguments import checked


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Task(Strict):
    kind: Literal["task"]
    hours: float = Field(ge=0, le=1000)


class Session(Strict):
    kind: Literal["session"]
    budget: int


class Arguments(Strict):
    detail: Annotated[Task | Session, Field(discriminator="kind")] | None = None
    parts: list[Task] = []
    number: int | bool | None = None
    settings: dict[str, Any] = {}
    priority: Literal["high", "medium", "low"] = "low"

    @model_validator(mode="after")
    def _not_both(self) -> Arguments:
        if self.detail and self.parts:
            raise ValueError("Give detail or parts, not both.")
        return self


@pytest.mark.parametrize(
    ("arguments", "field", "constraint"),
    [
        ({"detail": {"kind": "task", "hours": -1}}, "detail.hours", "must be greater than or equal to 0"),
        ({"detail": {"kind": "task"}}, "detail.hours", "is required"),
        ({"detail": {"kind": "task", "hours": 1, "x": 1}}, "detail.x", "is not known here"),
        ({"parts": [{"kind": "task", "hours": "x"}]}, "parts[0].hours", "must be a valid number"),
        ({"number": "x"}, "number", "must be a valid integer or must be a valid boolean"),
        ({"settings": 3}, "settings", "must be an object"),
        ({"priority": "x"}, "priority", "must be 'high', 'medium' or 'low'"),
        (
            {"detail": {"kind": "task", "hours": 1}, "parts": [{"kind": "task", "hours": 1}]},
            "arguments",
            "Give detail or parts, not both",
        ),
    ],
)
def test_a_mistake_names_the_field_and_the_rule(arguments: dict[str, Any], field: str, constraint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        checked("a_tool", Arguments, arguments)
    assert caught.value.details == {"field": field, "constraint": constraint}


def test_many_mistakes_are_reported_in_one_sentence_and_listed() -> None:
    with pytest.raises(ValidationError) as caught:
        checked("a_tool", Arguments, {f"x{number}": 1 for number in range(30)})
    assert len(caught.value.details["errors"]) == 20
    assert "16 more" in caught.value.message
    assert caught.value.message.endswith("correct this and call a_tool again.")
