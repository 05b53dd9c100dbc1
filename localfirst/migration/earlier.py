"""The report of an earlier migration: kept in its record, so that every laptop of the team can ask for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import LocalfirstError
from localfirst_schema.wire import decode_json

from localfirst.client.session import Session
from localfirst.markdown.source import read_source
from localfirst.migration.gather import gather
from localfirst.migration.report import Report
from localfirst.replica.act import Act
from localfirst.replica.rows import find
from localfirst.settings import Settings

WARNINGS_LIMIT = 500
"""How many warnings of a migration its record repeats."""

_RECORDS = """
    SELECT id, created_at, created_by, metadata FROM work_items
    WHERE item_type = 'research' AND deleted_at IS NULL AND json_extract(metadata, '$.migration.sha256') IS NOT NULL
    AND (:file IS NULL OR json_extract(metadata, '$.migration.file') = :file)
    ORDER BY created_at DESC, id LIMIT 1
"""


class Earlier(NamedTuple):
    """An earlier migration.

    Attributes:
        unchanged: whether the file, and the prompts beside it, are what they were; None where there is no file to compare.
    """

    report: Report
    file: str
    migrated_at: str
    migrated_by: str | None
    unchanged: bool | None

    def as_dict(self) -> dict[str, Any]:
        """The report's fields and what stands beside it."""
        return self.report.as_dict() | {
            "file": self.file,
            "migrated_at": self.migrated_at,
            "migrated_by": self.migrated_by,
            "file_unchanged": self.unchanged,
        }


def keep_report(act: Act, record_id: str, report: Report) -> None:
    """Puts what a migration says of itself into its record, within the act that wrote it, after all checks."""
    row = find(act.connection, WORK_ITEM, record_id)
    if row is None:
        raise AssertionError("a migration without its record")
    metadata = decode_json(row["metadata"])
    left_out = max(0, len(report.warnings) - WARNINGS_LIMIT)
    more = [f"{left_out} more warnings are not repeated here."] if left_out else []
    metadata["report"] = {
        "data_preservation_percentage": report.data_preservation_percentage,
        "reconciliation": report.reconciliation,
        "rows_created": report.rows_created,
        "kept_verbatim": report.kept_verbatim,
        "backup": report.backup,
        "warnings": [*report.warnings[:WARNINGS_LIMIT], *more],
    }
    act.change(WORK_ITEM, row, {"metadata": metadata})


def earlier_migration(settings: Settings, path: Path | None, prompts: Path | None = None) -> Earlier | None:
    """The last migration of a file of this name, or of any file; None where the store knows of none.

    Raises LocalfirstError where the store cannot be read.
    """
    session = Session(settings)
    try:
        session.catch_up()
        rows: Iterable[Any] = session.replica.execute(_RECORDS, {"file": path.name if path else None})
        for _, migrated_at, migrated_by, text in rows:
            metadata = decode_json(text)
            kept = metadata.get("report")
            report = Report(success=True)
            if isinstance(kept, dict):
                for name, value in kept.items():
                    setattr(report, name, value)
            else:
                report.warnings = ["This migration has left no report of its checks."]
            known = metadata["migration"]
            return Earlier(report, known["file"], migrated_at, migrated_by, _is_unchanged(path, prompts, known["sha256"]))
        return None
    finally:
        session.close()


def _is_unchanged(path: Path | None, prompts: Path | None, sha256: str) -> bool | None:
    if path is None:
        return None
    try:
        text = read_source(path)
        return gather(path, text, prompts).sources.digest(text) == sha256
    except (OSError, LocalfirstError):
        return None
