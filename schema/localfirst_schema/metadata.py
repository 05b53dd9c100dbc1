"""Typed metadata: known keys are validated, unknown keys are kept.

PostgreSQL holds the same rules as constraints (`*_metadata_is_valid` in `postgres/0001_initial.sql`).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from localfirst_schema import labels, values
from localfirst_schema.json_merge import apply, difference
from localfirst_schema.validation import as_validation_error

_Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Hours = Annotated[float, Field(ge=0, le=1000)]


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)


def _checked_labels(value: list[str]) -> list[str]:
    return labels.labels(value)


def _each_once(value: list[Criterion]) -> list[Criterion]:
    if len({one.text for one in value}) != len(value):
        raise ValueError("must have each text once")
    return value


def _date(value: str) -> str:
    try:
        if len(value) == DATE_LENGTH:
            return datetime.date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise ValueError("must be a date, for example 2026-12-24")


DATE_LENGTH = 10


class Criterion(BaseModel):
    """One acceptance criterion."""

    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)

    text: Annotated[str, Field(min_length=1)]
    done: bool = False


Urgency = Literal["urgent", "high", "medium", "low"]
LabelList = Annotated[list[str], AfterValidator(_checked_labels)]
Assignee = Annotated[str, Field(min_length=1, max_length=100)]
Day = Annotated[str, AfterValidator(_date)]
Criteria = Annotated[
    list[Criterion],
    AfterValidator(_each_once),
    Field(description="of {text, done}", json_schema_extra={"x-in-words": "object"}),
]
ItemDescription = Annotated[str, Field(max_length=20_000)]


class _ItemMetadata(_Metadata):
    """What every type of work item has."""

    description: ItemDescription = ""
    priority: Urgency = "medium"
    labels: LabelList = []
    assignee: Assignee = "-"
    due_on: Day = "2026-01-01"
    start_on: Day = "2026-01-01"
    acceptance: Criteria = []


ITEM_FIELDS = ("description", "priority", "labels", "assignee", "due_on", "start_on", "acceptance")
"""The keys that stand in `metadata` and are arguments besides."""


class ProjectMetadata(_ItemMetadata):
    """Of a work item of type project."""

    description: Annotated[str, Field(max_length=1000)] = ""
    target_quarter: Annotated[str, Field(max_length=1000)] = ""
    constitutional_principles: list[str] = []


class Frontmatter(_Metadata):
    """The YAML front matter of a session."""

    schema_version: str = ""


class SessionMetadata(_ItemMetadata):
    """Of a work item of type session."""

    token_budget: Annotated[int, Field(ge=1000, le=1_000_000)] = 1000
    prompts_count: _Count = 0
    yaml_frontmatter: Frontmatter = Frontmatter.model_construct()
    prompt: str = ""


class TaskMetadata(_ItemMetadata):
    """Of a work item of type task."""

    estimated_hours: _Hours = 0
    actual_hours: _Hours = 0
    blocked_reason: Annotated[str, Field(max_length=500)] = ""


class ResearchMetadata(_ItemMetadata):
    """Of a work item of type research."""

    research_questions: list[str] = []
    findings_summary: Annotated[str, Field(max_length=2000)] = ""
    references: list[Any] = []


class FormatSupport(_Metadata):
    """Which formats a vendor's extractor reads."""

    excel: bool = False
    csv: bool = False
    pdf: bool = False
    ocr: bool = False


class TestResults(_Metadata):
    """Counts of a vendor's tests."""

    __test__ = False

    passing: _Count = 0
    total: _Count = 0
    skipped: _Count = 0


class VendorMetadata(_Metadata):
    """Of a vendor."""

    format_support: FormatSupport = FormatSupport.model_construct()
    test_results: TestResults = TestResults.model_construct()
    extractor_version: Annotated[str, Field(min_length=1, max_length=50)] = "0"
    manifest_compliant: bool = False


class DeploymentMetadata(_Metadata):
    """Of a deployment."""

    pr_number: Annotated[int, Field(ge=1, le=2**63 - 1)] = 1
    pr_title: Annotated[str, Field(min_length=1, max_length=200)] = "-"
    commit_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] = "0" * 40
    test_summary: dict[str, _Count] = {}
    constitutional_compliance: bool = False


OF_ITEM_TYPE: dict[str, type[_Metadata]] = {
    "project": ProjectMetadata,
    "session": SessionMetadata,
    "task": TaskMetadata,
    "research": ResearchMetadata,
}


def check(model: type[BaseModel], metadata: dict[str, Any]) -> dict[str, Any]:
    """Returns the metadata as both stores hold it (see `values.check_json`), or raises ValidationError naming the key."""
    checked: dict[str, Any] = values.check_json("metadata", metadata)
    try:
        read = model.model_validate(checked)
    except pydantic.ValidationError as error:
        raise as_validation_error(error, checked, prefix="metadata") from None
    if isinstance(read, _ItemMetadata):
        if "labels" in checked:
            checked["labels"] = read.labels
        if "acceptance" in checked:
            checked["acceptance"] = [{"done": False} | one for one in checked["acceptance"]]
    return checked


def check_change(model: type[BaseModel], before: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """The same for metadata that were `before`: only what differs is checked.

    What is there already may break a rule (any SQL client may write what the server's constraints let pass, and rules change):
    who changes another key has nothing to do with it.
    """
    parts = difference(before, metadata)
    if parts is None:
        return before
    changed: dict[str, Any] = apply(parts[0], check(model, parts[1]), before)
    values.check_growth("metadata", changed, before)
    return changed
