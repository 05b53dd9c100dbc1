"""`localfirst import`: takes the content of another replica's file into this project."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from localfirst_schema import timestamps
from localfirst_schema.project_key import is_one_project

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Command, Result, command
from localfirst.cli.stray_replicas import note_import
from localfirst.client.follow_up import tried
from localfirst.client.session import Session
from localfirst.client.where import place
from localfirst.replica.backup import back_up
from localfirst.replica.recovery.reports import NO_MARKS
from localfirst.replica.recovery.take_in import take_in_file


def import_replica(
    file: Annotated[Path, typer.Argument(metavar="REPLICA", help="The file of another replica, or a copy of one.")],
    as_json: options.AsJson = False,
) -> None:
    """Take in what another replica holds: its rows, their history, what it never sent; the file stays as it is."""
    with command(as_json=as_json) as this:
        result = _taken_in(this, file.absolute())
        this.answer(result, partial(_reported, has_server=this.session.link is not None))


def _taken_in(this: Command, file: Path) -> Result:
    session = this.session
    with session.act():
        pass  # whoever may not write, or has no replica to write to, learns so before anything is read
    copy = _copied(session)
    try:
        done = take_in_file(file, session.replica)
    except BaseException:
        copy.unlink()
        raise
    this.wrote = not done.is_nothing
    if done.is_nothing:
        copy.unlink()
    elif session.link is not None:
        session.link.wake()
    warnings: list[str] = []
    tried(lambda: note_import(file), None, warnings)
    where = place(session.settings, session.replica)
    return {
        "success": True, "warnings": warnings, **where, "file": str(file), "of_project": done.project,
        **{name: value for name, value in asdict(done).items() if name != "project"},
        "before": None if done.is_nothing else str(copy),
    }  # fmt: skip


def _copied(session: Session) -> Path:
    """A copy of this project's replica as it was, for whoever finds that it was the wrong file."""
    replica = session.settings.replica
    copy = replica.with_name(f"{replica.name}.before-import-{timestamps.now().translate(NO_MARKS)}")
    back_up(session.replica, copy)
    return copy


def _reported(done: Result, *, has_server: bool) -> None:
    if not done["changes"] and not done["conflicts"]:
        terminal.say(f"All that {done['file']} holds is here already; nothing was changed.")
        return
    terminal.say(
        f"Took in {wording.count(done['changes'], 'change')} from {done['file']}:"
        f" {wording.count(done['rows'], 'new row')}, {wording.count(done['met'], 'row')} that both had."
    )
    if done["unsent"]:
        terminal.say(f"{wording.count(done['unsent'], 'of them', 'of them')} had reached no server from there.")
    if done["conflicts"]:
        terminal.say(f"{wording.count(done['conflicts'], 'open conflict')} came along; `localfirst conflicts list` shows them.")
    if _is_anothers(done):
        terminal.say(f"They were of the project {done['of_project']}, which stays as it is, here and on any server.")
    if has_server:
        terminal.say("They go to the server like any change; what it has already is recognised there.")
    if done["odd_rows"]:
        terminal.say(f"Some rows are such as no tool would have written: {'; '.join(done['odd_rows'][:5])}.")
    terminal.say(f"The file stays as it is; this project's replica as it was before is kept as {done['before']}.")


def _is_anothers(done: Result) -> bool:
    name, here = done["of_project"], done["project"]
    return name is not None and (here is None or not is_one_project(name, here))


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("import")(import_replica)
