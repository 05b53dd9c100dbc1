"""Typed metadata: known keys are validated, unknown keys are kept.

PostgreSQL holds the same rules as constraints (`*_metadata_is_valid` in `postgres/0001_initial.sql`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from localfirst_schema import values
from localfirst_schema.json_merge import apply, difference
from localfirst_schema.validation import as_validation_error

_Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Hours = Annotated[float, Field(ge=0, le=1000)]


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)


class ProjectMetadata(_Metadata):
    """Of a work item of type project."""

    description: Annotated[str, Field(max_length=1000)] = ""
    target_quarter: Annotated[str, Field(max_length=1000)] = ""
    constitutional_principles: list[str] = []


class Frontmatter(_Metadata):
    """The YAML front matter of a session."""

    schema_version: str = ""


class SessionMetadata(_Metadata):
    """Of a work item of type session."""

    token_budget: Annotated[int, Field(ge=1000, le=1_000_000)] = 1000
    prompts_count: _Count = 0
    yaml_frontmatter: Frontmatter = Frontmatter.model_construct()
    prompt: str = ""


class TaskMetadata(_Metadata):
    """Of a work item of type task."""

    estimated_hours: _Hours = 0
    actual_hours: _Hours = 0
    blocked_reason: Annotated[str, Field(max_length=500)] = ""
    priority: Literal["high", "medium", "low"] = "medium"


class ResearchMetadata(_Metadata):
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
        model.model_validate(checked)
    except pydantic.ValidationError as error:
        raise as_validation_error(error, checked, prefix="metadata") from None
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
