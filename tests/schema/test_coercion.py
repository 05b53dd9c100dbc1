"""What a caller sent, taken for what was meant, by the arguments' own types."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from localfirst_schema.coercion import coerced
from localfirst_schema.errors import ValidationError
from pydantic import BaseModel, Field


class Part(BaseModel):
    count: int = 0
    text: str = ""


class Everything(BaseModel):
    former: ClassVar[dict[str, str]] = {"old": "text"}

    text: str | None = None
    choice: Literal["5", "true"] | None = None
    whole: Annotated[int | None, Field(ge=1)] = None
    number: Annotated[float, Field(ge=0)] | None = None
    flag: bool = False
    free: dict[str, Any] | None = None
    texts: list[Annotated[str, Field(min_length=1)]] | None = None
    wholes: list[int] = []
    parts: list[Part] = []
    either: int | bool | None = None
    anything: Any = None
    clear: list[str] = []


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (
            {"text": "5", "choice": "5", "either": "5", "anything": "5"},
            {"text": "5", "choice": "5", "either": "5", "anything": "5"},
        ),
        ({"text": "null", "choice": "null"}, {"text": "null", "choice": "null"}),
        ({"text": None, "whole": None, "free": None, "unknown": None}, {}),
        ({"whole": "null", "flag": "null", "free": "null", "texts": "null"}, {}),
        ({"whole": "5"}, {"whole": 5}),
        ({"whole": "-05"}, {"whole": -5}),
        ({"whole": 5.0}, {"whole": 5}),
        ({"whole": 5.5}, {"whole": 5.5}),
        ({"whole": "5.0"}, {"whole": "5.0"}),
        ({"whole": "٥"}, {"whole": "٥"}),
        ({"whole": "9" * 5000}, {"whole": "9" * 5000}),
        ({"number": "1e400"}, {"number": "1e400"}),
        ({"number": "-1.5e1"}, {"number": -15.0}),
        ({"number": "NaN"}, {"number": "NaN"}),
        ({"flag": "TRUE"}, {"flag": True}),
        ({"flag": "1"}, {"flag": "1"}),
        ({"free": '{"a": null}'}, {"free": {"a": None}}),
        ({"free": {"a": None, "b": "5"}}, {"free": {"a": None, "b": "5"}}),
        ({"free": "[]"}, {"free": "[]"}),
        ({"free": "[" * 100_000}, {"free": "[" * 100_000}),
        ({"texts": '["5", "true"]'}, {"texts": ["5", "true"]}),
        ({"texts": "5"}, {"texts": "5"}),
        ({"wholes": '["5", 6]'}, {"wholes": [5, 6]}),
        ({"parts": ['{"count": "5", "text": "5"}', {"count": None}]}, {"parts": [{"count": 5, "text": "5"}, {}]}),
        ({"old": "a"}, {"text": "a"}),
        ({"old": "a", "text": "a"}, {"text": "a"}),
        ({"old": None, "text": "a"}, {"text": "a"}),
        ({"clear": ["whole"], "whole": None}, {"clear": ["whole"]}),
    ],
)
def test_what_is_plain_is_taken_and_the_rest_left(given: dict[str, Any], meant: dict[str, Any]) -> None:
    taken = coerced(Everything, given)
    assert taken == meant
    assert [type(value) for value in taken.values()] == [type(value) for value in meant.values()]


@pytest.mark.parametrize(
    ("given", "field"), [({"old": "a", "text": "b"}, "old"), ({"clear": ["whole"], "whole": "5"}, "clear")]
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        coerced(Everything, given)
    assert caught.value.details["field"] == field
