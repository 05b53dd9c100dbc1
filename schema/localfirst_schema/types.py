"""The types of tool arguments: pydantic annotations that hold one rule each and say it in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from localfirst_schema import refs, timestamps, values
from localfirst_schema.author import AUTHOR_MAX
from localfirst_schema.errors import ValidationError
from localfirst_schema.identifiers import canonical_uuid

VENDOR_NAME_MAX = 200


class Arguments(BaseModel):
    """Base of all arguments: unknown ones and silent conversions are refused.

    They are validated by `validation.checked`, which takes nulls and texts for what they mean first.
    """

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    former: ClassVar[dict[str, str]] = {}
    """Names that arguments had before, and are still taken: former name → name."""

    @classmethod
    def item_names(cls) -> tuple[str, ...]:
        """The arguments that name a work item, or several."""
        return _item_names(cls)

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the named arguments that the caller gave; None for those that `clear` empties."""
        given = {name: getattr(self, name) for name in names if name in self.model_fields_set}
        return given | dict.fromkeys(getattr(self, "clear", ()))


@cache
def _item_names(model: type[Arguments]) -> tuple[str, ...]:
    return tuple(name for name, field in model.model_fields.items() if _names_item(field.annotation, field.metadata))


def _names_item(annotation: Any, metadata: Iterable[Any] = ()) -> bool:
    rule = AfterValidator(_item_name)
    return rule in metadata or any(_names_item(one, getattr(one, "__metadata__", ())) for one in get_args(annotation))


def _text(value: str) -> str:
    try:
        return values.check_text("text", value)
    except ValidationError as error:
        raise ValueError(error.details["constraint"]) from None


def _line(value: str) -> str:
    try:
        return values.check_line("title", value)
    except ValidationError as error:
        raise ValueError(error.details["constraint"]) from None


def _uuid(value: str) -> str:
    try:
        return canonical_uuid(value)
    except ValueError:
        raise ValueError("must be a UUID") from None


def as_item_name(text: str) -> str | None:
    """What names a work item, in one spelling: an id, 6 or more digits of its beginning, or a ref. None for what cannot."""
    try:
        return canonical_uuid(text)
    except ValueError:
        return refs.beginning_of_id(text) or refs.as_ref(text)


def _item_name(value: str) -> str:
    name = as_item_name(value)
    if name is None:
        raise ValueError(
            f"must name a work item: by its id, its first {refs.DIGITS_MIN} or more digits, or its ref ({refs.GIVEN_MIN} or"
            " more symbols)"
        )
    return name


def _moment(value: str) -> str:
    try:
        return timestamps.canonical(value)
    except ValueError:
        raise ValueError("must be a time as in RFC 3339, for example 2025-10-01T12:00:00Z") from None


def _commit(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{40}", value):
        raise ValueError("must be a full commit hash: 40 hexadecimal digits")
    return value.lower()


def _quarter(value: str) -> str:
    if found := re.fullmatch(r"\s*[Qq]([1-4])[ -]?([0-9]{4})\s*", value):
        return f"Q{found[1]} {found[2]}"
    if found := re.fullmatch(r"\s*([0-9]{4})[ -]?[Qq]([1-4])\s*", value):
        return f"Q{found[2]} {found[1]}"
    raise ValueError("must be a quarter, for example Q1 2026")


def _texts(value: list[str]) -> list[str]:
    try:
        values.check_json("list", value)
    except ValidationError as error:
        raise ValueError(error.details["constraint"]) from None
    return value


def _name(value: str) -> str:
    value = unicodedata.normalize("NFC", value)
    if len(value) > VENDOR_NAME_MAX:  # the normal form of a few characters is longer
        raise ValueError(f"must have at most {VENDOR_NAME_MAX} characters")
    if value != value.strip():
        raise ValueError("must not begin or end with white space")
    return value


Text = Annotated[str, AfterValidator(_text)]
Id = Annotated[str, AfterValidator(_uuid), Field(json_schema_extra={"format": "uuid"})]
ItemId = Annotated[str, AfterValidator(_item_name), Field(description="id or ref")]
"""Names a work item: its id, a beginning of it, or its ref. An operation is given the id (`operations.naming`)."""
Moment = Annotated[str, AfterValidator(_moment), Field(description="time, RFC 3339")]
Json = dict[str, Any]
"""Checked by `metadata.check`, which can name the key."""
CommitHash = Annotated[str, AfterValidator(_commit)]
Quarter = Annotated[str, AfterValidator(_quarter), Field(description="for example Q1 2026")]
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
VendorName = Annotated[str, Field(min_length=1, max_length=VENDOR_NAME_MAX), AfterValidator(_text), AfterValidator(_name)]
Texts = Annotated[list[Text], AfterValidator(_texts)]
BranchName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_text)]
Who = Annotated[str, Field(min_length=1, max_length=AUTHOR_MAX), AfterValidator(_text)]
Query = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(_text)]
Body = Annotated[str, Field(min_length=1, max_length=100_000), AfterValidator(_text)]
Description = Annotated[str, Field(max_length=10_000), AfterValidator(_text)]
GitBranch = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_text)]
RepoPath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_text)]
JobId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_text)]
TokenBudget = Annotated[int, Field(ge=1000, le=1_000_000)]
PrNumber = Annotated[int, Field(ge=1, le=2**63 - 1)]
Version = Annotated[int, Field(ge=1, le=2**63 - 1, description="as you read it")]
Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0, le=2**62)]

ItemType = Literal["project", "session", "task", "research"]
Status = Literal["active", "completed", "blocked"]
DependencyType = Literal["depends_on", "blocks"]
Priority = Literal["high", "medium", "low"]
EnhancementStatus = Literal["planned", "approved", "implementing", "completed"]
ContextType = Literal["feature", "maintenance", "research"]
Detail = Literal["lean", "full"]
"""Rows without their empty and seldom fields, or with every field."""
JobStatus = Literal["pending", "running", "blocked", "completed", "failed", "cancelled"]
SkipRuleName = Literal[
    "binary", "too large", "minified", "generated", "lock file", "secret", "link", "not a regular file", "empty",
    "another repository", "filled by a program", "unreadable", "not text", "failed",
]  # fmt: skip
EntityName = Literal["work_item", "work_item_dependency", "vendor", "deployment", "enhancement", "configuration"]
