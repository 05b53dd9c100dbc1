"""`localfirst index`: a repository's code into the index, with a live view of the job that does it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from localfirst_schema.errors import NotFoundError, UnavailableError, ValidationError

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Command, Result, command, given
from localfirst.code_index.worker import lease
from localfirst.log import log_path

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

FINAL = frozenset({"completed", "failed", "cancelled"})
LOOK_EVERY_S = 0.2
SECOND_THOUGHTS_S = 2.0
"""How long a second Ctrl-C is waited for."""

RATE_OVER_S = 3.0
START_LIMIT_S = 30.0
INTERRUPTED = 130


def index(
    path: Annotated[str | None, typer.Argument(metavar="PATH", help="The repository's directory. (default: this one)")] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it. (default: its directory's name)")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Read every file anew, not only what changed.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Do not wait for it.")] = False,
    forget: Annotated[
        str | None,
        typer.Option("--forget", metavar="NAME|PATH", help="Take a repository out of the index again, and do nothing else."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Index a repository's code for `localfirst search`; only what changed since the last time is read."""
    if forget is not None:
        _forget(forget, others=path is not None or name is not None or force or background, as_json=as_json)
        return
    with command(as_json=as_json) as this:
        started = this.run(
            "start_indexing_background",
            repo_path=str(Path(path or ".").expanduser().absolute()),
            force_reindex=force,
            **given(name=name),
        )
        if background:
            this.answer(started, _show_started)
            return
        try:
            result = _follow(this, started["job_id"], draw=not as_json and sys.stderr.isatty())
        except KeyboardInterrupt:
            result = _leave_or_cancel(this, started["job_id"])
        this.answer(result, show_end)
    if result["status"] in ("failed", "cancelled"):
        raise typer.Exit(1 if result["status"] == "failed" else INTERRUPTED)


def _forget(given_name: str, *, others: bool, as_json: bool) -> None:
    """By path where it looks like one or is one here, else by name."""
    if others:
        raise ValidationError(
            "--forget", "stands alone", "--forget takes the name or the path of a repository, and nothing beside it."
        )
    path = Path(given_name).expanduser()
    is_path = "/" in given_name or given_name in (".", "..") or given_name.startswith("~")
    with command(as_json=as_json) as this:
        try:
            result = this.run("forget_index", repository=str(path.absolute()) if is_path else given_name)
        except NotFoundError:
            if is_path or not path.is_dir():
                raise
            result = this.run("forget_index", repository=str(path.absolute()))
        this.answer(result, _show_forgotten)


_ON_SERVER = {
    "removed": "It is gone from the team's server too, where nobody else had it.",
    "kept": "On the server it stays: it is the team's.",
    "unreachable": "What this machine had shared of it stays on the server, which does not answer.",
}


def _show_forgotten(result: Result) -> None:
    files = wording.count(result["files_removed"], "file")
    pieces = wording.count(result["chunks_removed"], "piece")
    terminal.say(f"Forgot the index of {result['name']} ({result['repo_path']}): {files}, {pieces} of code.")
    terminal.note("Its files are as they were; `localfirst index` takes them in again.")
    if result["on_server"] in _ON_SERVER:
        terminal.note(_ON_SERVER[result["on_server"]])


def _show_started(result: Result) -> None:
    expected = wording.duration(result["estimated_duration_seconds"])
    terminal.say(f"The job {result['job_id']} is {result['status']}; it will take about {expected}.")
    _tell_how(result["job_id"])


def _tell_how(job_id: str) -> None:
    terminal.note(f"`localfirst jobs show {job_id[:8]}` tells how far it is, `localfirst jobs cancel {job_id[:8]}` stops it.")


def show_end(result: Result) -> None:
    """What a job has done, or how it stands."""
    message = result["progress_message"].partition(": ")[2]
    match result["status"]:
        case "completed":
            terminal.say(f"Indexed {result['repo_path']}: {message}.")
        case "failed":
            terminal.complain(f"the job failed: {result['error_message']}.")
        case "cancelled":
            terminal.say(f"The job was {message}. What is in the index stays.")
        case _:
            terminal.say(f"The job goes on in the background: {result['progress_message']}.")
            _tell_how(result["job_id"])
    for problem in result["problems"]:
        terminal.note(problem)


def _follow(this: Command, job_id: str, *, draw: bool) -> Result:
    """The job's status when it has ended."""
    if not draw:
        return _until_final(this, job_id, None)
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Progress(*columns, console=terminal.err(), transient=True) as progress:
        return _until_final(this, job_id, _View(progress))


def _until_final(this: Command, job_id: str, view: _View | None) -> Result:
    replica = this.session.settings.replica
    began = time.monotonic()
    while (result := this.run("get_indexing_status", job_id=job_id))["status"] not in FINAL:
        if result["status"] == "pending" and time.monotonic() - began > START_LIMIT_S and not lease.is_held(replica):
            raise UnavailableError(
                f"the worker that carries out the job does not start; look into {log_path()}. The job {job_id[:8]} is kept.",
                cause="program",
            )
        if view is not None:
            view.show(result)
        time.sleep(LOOK_EVERY_S)
    return result


class _View:
    """The bar of one job: phase, share, files or pieces per second, and the time that is left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("Scanning", total=100, pace="")
        self._seen: list[tuple[float, str, int]] = []

    def show(self, result: Result) -> None:
        """The job as it is now."""
        waits = result["status"] in ("blocked", "pending")
        words = terminal.clean(result["progress_message"]) if waits else result["phase"]
        self._progress.update(
            self._task, description=words, completed=result["progress_percentage"], pace="" if waits else self._pace(result)
        )

    def _pace(self, result: Result) -> str:
        is_embedding = result["phase"] == "Embedding"
        done, what = (result["chunks_embedded"], "pieces") if is_embedding else (result["files_done"], "files")
        now = time.monotonic()
        self._seen = [one for one in self._seen if one[1] == what and now - one[0] <= RATE_OVER_S] + [(now, what, done)]
        first_at, _, first = self._seen[0]
        parts = []
        if now > first_at and done > first:
            parts.append(f"{(done - first) / (now - first_at):,.0f} {what}/s")
        if (left := result["estimated_time_remaining_seconds"]) is not None:
            parts.append(f"{wording.duration(left)} left")
        return ", ".join(parts)


def _leave_or_cancel(this: Command, job_id: str) -> Result:
    """After Ctrl-C: the job goes on without this command, unless a second one follows."""
    terminal.note("The job goes on in the background. Press Ctrl-C once more, now, to cancel it.")
    try:
        time.sleep(SECOND_THOUGHTS_S)
    except KeyboardInterrupt:
        this.run("cancel_indexing_background", job_id=job_id)
    return this.run("get_indexing_status", job_id=job_id)


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("index")(index)
