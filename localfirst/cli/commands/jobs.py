"""`localfirst jobs`: the indexing jobs of the last seven days."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from localfirst_schema.errors import NotFoundError, ValidationError
from localfirst_schema.refs import DIGITS_MIN

from localfirst import terminal
from localfirst.cli import ids, options, wording
from localfirst.cli.command import Command, Result, command, given
from localfirst.cli.commands.index import show_end
from localfirst.code_index.jobs import table
from localfirst.replica.connection import sqlite_errors
from localfirst.terminal import Column

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or the first six or more characters of it.")]
STATES = "pending|running|blocked|completed|failed|cancelled"
BAR_WIDTH = 40


def jobs(context: typer.Context, as_json: options.AsJson = False) -> None:
    """List, show and cancel indexing jobs."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


def list_(
    status: Annotated[str | None, typer.Option("--status", "-s", metavar=STATES, help="Only jobs in this state.")] = None,
    repository: Annotated[str | None, typer.Option("--repo", metavar="PATH", help="Only jobs of this directory.")] = None,
    limit: options.Limit = None,
    offset: options.Offset = None,
    as_json: options.AsJson = False,
) -> None:
    """List jobs, newest first."""
    with command(as_json=as_json) as this:
        root = str(Path(repository).expanduser().absolute()) if repository is not None else None
        result = this.run("list_indexing_jobs", **given(status=status, repo_path=root, limit=limit, offset=offset))
        is_filtered = status is not None or root is not None
        this.answer(result, lambda page: _page(this, page, is_filtered=is_filtered))


def show(
    job: JobId,
    skipped: Annotated[
        str | None, typer.Option("--skipped", metavar="RULE", help="Name the files that this rule left out, such as minified.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how far a job is and what happened to it."""
    with command(as_json=as_json) as this:
        job_id = _resolve(this, job)
        result = this.run("get_indexing_status", job_id=job_id, **given(skipped_rule=skipped))
        events = [
            {"at": at, "event": event, "detail": detail} for at, event, detail in table.events(this.session.replica, job_id)
        ]
        this.answer(result | {"events": events}, _whole)


def cancel(job: JobId, as_json: options.AsJson = False) -> None:
    """Cancel a job; what it has indexed stays."""
    with command(as_json=as_json) as this:
        job_id = _resolve(this, job)
        result = this.run("cancel_indexing_background", job_id=job_id)
        this.answer(result, lambda cancelled: show_end(this.run("get_indexing_status", job_id=cancelled["job_id"])))


def _resolve(this: Command, given_id: str) -> str:
    beginning = given_id.strip().lower()
    if not re.fullmatch(rf"[0-9a-f-]{{{DIGITS_MIN},36}}", beginning):
        raise ValidationError("id", f"must be a job's id or its first {DIGITS_MIN} or more characters")
    sql = "SELECT job_id FROM index_jobs WHERE job_id >= ? AND job_id < ? ORDER BY job_id"
    with sqlite_errors():
        found = [str(job_id) for (job_id,) in this.session.replica.execute(sql, (beginning, f"{beginning}~"))]
    if not found:
        raise NotFoundError(f"no job has an id that begins with {beginning}; `localfirst jobs` lists them.", id=beginning)
    if len(found) > 1:
        message = f"{beginning} is the beginning of several ids: {', '.join(found)}; give more of the one you mean."
        raise ValidationError("id", "must be the beginning of one id only", message, candidates=found)
    return found[0]


def _page(this: Command, result: Result, *, is_filtered: bool) -> None:
    if not result["jobs"]:
        terminal.say(f"There are no indexing jobs{' that fit' if is_filtered else ''} of the last seven days.")
        return
    columns = (
        Column("job", "id"),
        Column("state", "word"),
        Column("%", "number"),
        Column("repository"),
        Column("where it stands"),
        Column("begun", "faint"),
    )
    rows = (
        (
            one["job_id"][: ids.SHORTEST_DISPLAYED],
            one["status"],
            f"{one['progress_percentage']:.0f}",
            one["repo_path"],
            one["progress_message"],
            wording.ago(one["created_at"]),
        )
        for one in result["jobs"]
    )
    terminal.table(columns, rows)
    terminal.count_displayed(len(result["jobs"]), result["total_count"])


def _whole(result: Result) -> None:
    terminal.say(f"{result['name']}: {result['progress_message']}", "bold")
    terminal.bar(round(result["progress_percentage"]), 100, BAR_WIDTH, f"{result['progress_percentage']:.0f} %")
    left = result["estimated_time_remaining_seconds"]
    terminal.fields(
        (
            ("job", result["job_id"]),
            ("repository", result["repo_path"]),
            ("state", result["status"]),
            ("left", wording.duration(left) if left else None),
            ("files", _counts(result)),
            ("skipped", ", ".join(f"{number} {rule}" for rule, number in (result["skipped_by_rule"] or {}).items())),
            ("pieces of code", result["chunks_created"]),
            ("waits because", result["blocked_reason"]),
            ("error", result["error_message"]),
        )
    )
    terminal.heading("What happened")
    columns = (Column("when", "faint"), Column("what", "word"), Column("why"))
    terminal.table(columns, ((wording.local_time(one["at"]), one["event"], one["detail"]) for one in result["events"]))
    for problem in result["problems"]:
        terminal.note(problem)
    if result["skipped_files"]:
        terminal.heading("Left out")
        rows = ((one["file_path"], one["rule"], one["detail"]) for one in result["skipped_files"])
        terminal.table((Column("file"), Column("rule", "word"), Column("what was seen", "faint")), rows)


def _counts(result: Result) -> str:
    parts = (
        ("files_scanned", "found"),
        ("files_indexed", "indexed"),
        ("files_unchanged", "unchanged"),
        ("files_deleted", "removed"),
    )
    return ", ".join(f"{result[name]} {word}" for name, word in parts if result[name]) or "none"


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(jobs)
    for name, function in (("list", list_), ("show", show), ("cancel", cancel)):
        group.command(name)(function)
    app.add_typer(group, name="jobs")
