"""`localfirst sync`: a round at once, how synchronisation stands, and the loop as a service of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from localfirst_schema.errors import ValidationError

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Command, Result, command
from localfirst.cli.commands import unsent, watch
from localfirst.replica.known_server import KnownServer

PATIENCE_S = 3.3
"""How long `--status` waits for the first try to end: a server that refuses, or is refused, says so by then."""


def sync(
    watched: Annotated[
        bool, typer.Option("--watch", help="Go on until SIGTERM or Ctrl-C, as a service of its own; a line per round.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say how it stands.")] = False,
    adopt_server: Annotated[
        bool,
        typer.Option(
            "--adopt-server",
            help="Take the server at the configured address for this replica's from now on, whatever it holds.",
        ),
    ] = False,
    drop_unsent: Annotated[
        bool,
        typer.Option(
            "--drop-unsent",
            help="Give up, after a question, what waits to be sent; it is written to a file first.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Drop it without the question.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Send everything that waits to the server, and fetch what others changed."""
    if watched and status:
        raise ValidationError("--watch", "cannot be combined with --status")
    if adopt_server and status:
        raise ValidationError("--adopt-server", "cannot be combined with --status")
    if drop_unsent and (watched or status or adopt_server):
        raise ValidationError("--drop-unsent", "cannot be combined with --watch, --status or --adopt-server")
    if yes and not drop_unsent:
        raise ValidationError("--yes", "is for --drop-unsent alone")
    with command(as_json=as_json) as this:
        if adopt_server:
            _adopt(this)
        if drop_unsent:
            unsent.drop(this, is_agreed=yes, as_json=as_json)
            return
        if watched:
            watch.watch(this.session, as_json=as_json)
        elif status:
            if this.session.link is not None:
                this.session.link.await_first_round(PATIENCE_S)
            this.answer(this.run("sync_status"), lambda result: show_status(result, cause_of(this)))
        else:
            this.answer(_round(this, draw=not as_json and sys.stderr.isatty()), _done)


def _adopt(this: Command) -> None:
    """Forgets which server was known: the one that answers next is taken, and gets what it lacks."""
    if this.session.link is None:
        raise ValidationError("--adopt-server", "needs a server; set LOCALFIRST_DATABASE_URL to its address")
    KnownServer(this.session.replica).forget()
    this.session.link.wake()


def _round(this: Command, *, draw: bool) -> Result:
    """A whole round; the counts are those of all rounds of this process, since the first begins before it is asked for."""
    if this.session.link is None or not draw:
        result = this.run("sync_now")
    else:
        with _progress(this):
            result = this.run("sync_now")
    return result | (this.session.link.done() if this.session.link is not None else {})


@contextmanager
def _progress(this: Command) -> Iterator[None]:
    """Draws a bar while something is sent or fetched, and a spinner before."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    words = {"push": "Sending", "pull": "Receiving"}
    assert this.session.link is not None
    with Progress(*columns, console=terminal.err(), transient=True) as progress:
        task = progress.add_task("Connecting", total=None)

        def show(done: int, total: int, phase: str) -> None:
            progress.update(task, description=words.get(phase, phase), completed=done, total=total)

        this.session.link.on_progress = show
        try:
            yield
        finally:
            this.session.link.on_progress = None


def _done(result: Result) -> None:
    parts = [f"{result['pushed']} sent", f"{result['pulled']} received"]
    if result["merged"]:
        parts.append(f"{result['merged']} merged")
    how = "What the server allows is done" if "pending_local_changes" in result["warnings"] else "In step with the server"
    terminal.say(f"{how}: {', '.join(parts)} ({result['duration_ms']:.0f} ms).")
    if result["conflicts"]:
        are = "is" if result["conflicts"] == 1 else "are"
        terminal.note(f"{wording.count(result['conflicts'], 'new conflict')} {are} open: see `localfirst conflicts list`.")


def cause_of(this: Command) -> str | None:
    """Why the server cannot be used, for programs; None where nothing is known to be wrong."""
    return None if this.session.link is None else this.session.link.last_cause()


def show_status(result: Result, cause: str | None) -> None:
    """How this replica stands to the server; `cause` says what keeps it from that."""
    if result["server"] is None:
        terminal.say("No server is configured: this project stays on this machine.")
        return
    state = wording.server_state(is_online=result["online"], cause=cause)
    terminal.fields(
        (
            ("server", f"{result['server']} ({state})"),
            ("last in step", wording.ago(result["last_sync_at"]) or "never"),
            ("position", f"{result['cursor']} of {'?' if result['server_head'] is None else result['server_head']}"),
            ("unsent changes", result["pending_mutations"]),
            ("open conflicts", result["open_conflicts"] or "none"),
            ("problem", result["last_error"]),
            ("recovery", result["last_recovery"]),
        )
    )


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("sync")(sync)
