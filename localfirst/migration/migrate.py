"""The migration of one file: all of it is in the store and every check matches, or nothing is.

The order: the file is read and understood; the copy is made; the rows are written and compared with the file within one
transaction of the replica, which is undone unless every check matches. With a server configured the rows go there like any
other change.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from localfirst_schema.errors import LocalfirstError, ValidationError

from localfirst.checkout import file_named_by_user
from localfirst.client.session import Session
from localfirst.disk import in_words
from localfirst.markdown.backup import back_up
from localfirst.markdown.document import SECTIONS, StatusDocument
from localfirst.markdown.source import read_source, split_lines
from localfirst.migration.earlier import keep_report
from localfirst.migration.gather import gather
from localfirst.migration.reconcile import Reconciliation, reconcile
from localfirst.migration.report import Report
from localfirst.replica.connection import snapshot
from localfirst.settings import Settings
from localfirst.status_rows.plan import Surroundings, plan, span_of
from localfirst.status_rows.record import source_file
from localfirst.status_rows.write import Written, write_plan

CLIENT_NAME = "migration"

_VENDORS = "SELECT id FROM vendor_extractors WHERE deleted_at IS NULL"
_ITEMS = "SELECT id, title FROM work_items WHERE deleted_at IS NULL ORDER BY created_at DESC, id"

logger = logging.getLogger("localfirst.migration")


class _Undone(Exception):
    """Ends the transaction without a trace: a check failed, or it was a dry run."""


def migrate(path: Path, settings: Settings, *, dry_run: bool = False, prompts: Path | None = None) -> Report:
    """Brings the file at `path` into the project's store. Whatever goes wrong is in the report.

    Args:
        dry_run: do everything except writing.
        prompts: the folder of the session prompts, for files that have them apart; None to look for it (see `prompts`).
    """
    started = time.monotonic()
    report = Report(dry_run=dry_run)
    name = os.fsencode(path.name).decode("utf-8", "replace")
    try:
        text = read_source(path)
    except OSError as error:
        code = "file_not_found" if isinstance(error, FileNotFoundError) else "file_unreadable"
        report.fail(code, f"{name} cannot be read: {in_words(error)}.")
    except LocalfirstError as error:
        report.fail("invalid_file", error.message)
    else:
        with tempfile.TemporaryDirectory(prefix="localfirst-dry-run-") as folder:
            source = _Source(path, name, text, prompts)
            _open_and_migrate(source, _aside(settings, Path(folder)) if dry_run else settings, report)
    report.duration_ms = round(1000 * (time.monotonic() - started), 1)
    return report


class _Source(NamedTuple):
    """The file: its path, its name as text, its content, and the folder of prompts that was given."""

    path: Path
    name: str
    text: str
    prompts: Path | None


def _aside(settings: Settings, folder: Path) -> Settings:
    """Settings for a dry run: no server, and no new file where there is no replica yet."""
    replica = settings.replica if settings.replica.exists() else folder / "replica.sqlite3"
    return settings._replace(database_url=None, server_url=None, replica=replica)


def _open_and_migrate(source: _Source, settings: Settings, report: Report) -> None:
    try:
        session = Session(settings)
    except LocalfirstError as error:
        report.fail("store_unavailable", error.message)
        return
    session.client_name = CLIENT_NAME
    try:
        session.catch_up()
        _migrate(session, source, report)
    except LocalfirstError as error:
        report.fail("store_failed", error.message)
    except Exception:
        logger.exception("the migration failed")
        report.fail("unexpected", "The migration met an error that it cannot explain; see the log.")
    finally:
        session.close()


def _migrate(session: Session, source: _Source, report: Report) -> None:
    try:
        document, sources, said = gather(source.path, source.text, source.prompts)
    except ValidationError as error:
        report.fail("invalid_file", error.message)
        return
    except OSError as error:
        report.fail("file_unreadable", f"the session prompts cannot be read: {error}.")
        return
    planned = plan(document, _surroundings(session), sources)
    report.warnings += (*said, *planned.warnings)
    report.kept_verbatim = _kept_lines(document, source.text)
    if report.kept_verbatim["count"] and not any(getattr(document, section) for section in SECTIONS):
        report.warnings.append(_nothing_known(source.name, report.kept_verbatim["count"]))
    if planned.refused:
        report.fail("not_storable", *planned.refused)
        return
    if not report.dry_run:
        try:
            report.backup = back_up(file_named_by_user(source.path), source.text).name
        except OSError as error:
            report.fail("backup_failed", f"the copy beside {source.name} cannot be written: {in_words(error)}.")
            return
    file = source_file(source.name, source.text, sources)
    report.rollback_executed = True
    try:
        with session.act() as act:
            written = write_plan(act, planned, file, sources.lines, session.project_id)
            done = reconcile(act.connection, session.project_id, document, planned, written, sources.lines)
            if done.failures or report.dry_run:
                raise _Undone
            if written.record_id is not None:
                reported = replace(report, warnings=[*report.warnings])
                _tell(reported, written, done)
                keep_report(act, written.record_id, reported)
    except _Undone:
        report.rollback_executed = bool(done.failures)
    else:
        report.rollback_executed = False
    _tell(report, written, done)


def _nothing_known(name: str, lines: int) -> str:
    kept = "its one line is" if lines == 1 else f"its {lines} lines are"
    return (
        f"Nothing in {name} was recognised as a vendor, deployment, enhancement, session or work item: {kept} in the store word"
        " for word and nothing else; see whether this is the file that was meant."
    )


def _kept_lines(document: StatusDocument, text: str) -> dict[str, Any]:
    """The lines of the file that hold what was not understood, and how many they are; blank ones do not count."""
    lines = split_lines(text).lines
    numbers = {number for kept in document.kept for number in range(span_of(kept)[0], span_of(kept)[1] + 1)}
    kept = sorted(number for number in numbers if number <= len(lines) and lines[number - 1].strip())
    return {"count": len(kept), "lines": kept}


def _surroundings(session: Session) -> Surroundings:
    with snapshot(session.replica):
        vendors: Iterable[Any] = session.replica.execute(_VENDORS)
        items: Iterable[Any] = session.replica.execute(_ITEMS)
        # Of several items of one title the oldest is meant: it comes last and stays.
        by_name = {key: row_id for row_id, title in items for key in (title, row_id)}
        return Surroundings(session.project_id, frozenset(row_id for (row_id,) in vendors), by_name)


def _tell(report: Report, written: Written, done: Reconciliation) -> None:
    report.warnings += written.warnings
    report.reconciliation = done.checks
    report.data_preservation_percentage = done.preserved_percentage
    if done.failures:
        report.fail("validation_failed", *done.failures)
    else:
        report.success = True
        report.rows_created = len(written.created)
