"""A deployment's block and its row, with the links to vendors and work items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from localfirst_schema import timestamps
from localfirst_schema.metadata import DeploymentMetadata
from localfirst_schema.wire import Row, decode_json

from localfirst.markdown.document import Deployment
from localfirst.markdown.stored.as_written import SUFFIX, Mapped, Stored, day_of, fit, put_notes, take

MIDNIGHT = "T00:00:00.000000Z"
_MOMENT = f"deployed_at{SUFFIX}"


def deployment_of(row: Row, vendor_names: Sequence[str], work_item_ids: Sequence[str]) -> Deployment:
    """The block's content of a row and the ends of its links.

    Names and references that found no row are in the metadata, and follow those that did.
    """
    metadata: dict[str, Any] = decode_json(row["metadata"])
    day: date | None = None
    moment: str | None = None
    date_text: str | None = None
    if _MOMENT in metadata and isinstance(metadata[_MOMENT], str | None):
        date_text = metadata.pop(_MOMENT)
    elif (day := day_of(row["deployed_at"])) is None:
        date_text = row["deployed_at"]
    else:
        moment = None if row["deployed_at"].endswith(MIDNIGHT) else row["deployed_at"]
    return Deployment(
        deployed_on=day,
        deployed_at=moment,
        date_text=date_text,
        pr_number=take(metadata, "pr_number", int, DeploymentMetadata),
        pr_title=take(metadata, "pr_title", str, DeploymentMetadata),
        commit_hash=take(metadata, "commit_hash", str, DeploymentMetadata),
        work_item_refs=(*_take_names(metadata, "work_item_refs"), *work_item_ids),
        vendor_names=(*vendor_names, *_take_names(metadata, "vendor_names")),
        tests=take(metadata, "test_summary", dict[str, int], DeploymentMetadata),
        constitutional_compliance=take(metadata, "constitutional_compliance", bool, DeploymentMetadata),
        metadata=metadata,
    )


def _take_names(metadata: dict[str, Any], key: str) -> list[str]:
    """Takes a list of different names out of the metadata; anything else stays there."""
    names = metadata.get(key)
    if isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names) > 0:
        del metadata[key]
        return names
    return []


def moment_of(deployment: Deployment) -> str | None:
    """When it was deployed, as the store says it; None where the block does not say."""
    if deployment.deployed_at is not None:
        try:
            return timestamps.canonical(deployment.deployed_at)
        except (ValueError, OverflowError):
            pass
    if deployment.deployed_on is None:
        return None
    return timestamps.from_datetime(datetime.combine(deployment.deployed_on, datetime.min.time(), UTC))


def deployment_columns(
    deployment: Deployment, notes: list[str], unknown_vendors: Sequence[str], unknown_refs: Sequence[str]
) -> Stored:
    """The columns that a block stands for; `deployed_at` is missing where the block does not say it."""
    metadata = dict(deployment.metadata)
    commit = deployment.commit_hash
    said = {
        "pr_number": deployment.pr_number,
        "pr_title": deployment.pr_title,
        "commit_hash": commit.lower() if commit is not None and len(commit) == 40 else commit,
        "test_summary": deployment.tests,
        "constitutional_compliance": deployment.constitutional_compliance,
        "work_item_refs": list(unknown_refs) or None,
        "vendor_names": list(unknown_vendors) or None,
        "record": deployment.record or None,
    }
    metadata |= {key: value for key, value in said.items() if value is not None}
    put_notes(metadata, notes)
    mapped = []
    moment = moment_of(deployment)
    columns: dict[str, Any] = {}
    if moment is not None:
        columns["deployed_at"] = moment
        if deployment.date_text is not None:
            metadata["date_text"] = deployment.date_text
        if deployment.deployed_at is not None and not is_moment(deployment.deployed_at):
            metadata["time_text"] = deployment.deployed_at
    else:
        written = deployment.date_text if deployment.deployed_at is None else deployment.deployed_at
        metadata[_MOMENT] = written
        mapped.append(Mapped("deployed_at", written, None))
    fitted, moved = fit(DeploymentMetadata, metadata)
    return Stored({**columns, "metadata": fitted}, (*mapped, *moved))


def is_moment(text: str) -> bool:
    """Whether a text is a time that can be stored."""
    try:
        timestamps.canonical(text)
    except (ValueError, OverflowError):
        return False
    return True
