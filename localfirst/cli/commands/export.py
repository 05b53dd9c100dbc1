"""`localfirst export`: everything that this project's replica holds, as one document."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from localfirst_schema.errors import UnavailableError

from localfirst import terminal
from localfirst.cli import options, wording
from localfirst.cli.command import Command, command, print_json
from localfirst.cli.dump import Counts, dump
from localfirst.disk import in_words
from localfirst.operations.status_text import status_text


class Format(Enum):
    """What an export looks like."""

    JSON = "json"
    MARKDOWN = "markdown"


def export(
    kind: Annotated[Format, typer.Option("--format", "-f", help="All rows and their history, or a status file.")] = Format.JSON,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write a file that only you can read.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Export the project as it is at this moment: every row with its history, or the text of a status file."""
    with command(as_json=as_json) as this:
        this.session.catch_up()
        write = _writer(this, kind, one_line=as_json and output is None)
        if output is None:
            write(sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with private_file(output) as file:
            counts = write(file)
        path = output.resolve()
        if as_json:
            print_json({"success": True, "warnings": [], "path": str(path), "format": kind.value, "counts": counts})
        else:
            rows = f" ({wording.count(sum(counts.values()), 'row')})" if counts else ""
            terminal.say(f"Exported to {path}{rows}.")


def _writer(this: Command, kind: Format, *, one_line: bool) -> Callable[[BinaryIO], Counts]:
    def markdown(target: BinaryIO) -> Counts:
        target.write(status_text(this.session).encode())
        return {}

    def document(target: BinaryIO) -> Counts:
        return dump(this.session.replica, target, between_rows=b"" if one_line else b"\n")

    return markdown if kind is Format.MARKDOWN else document


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file for the user's eyes only, in place of `path` once it is whole; until then what was there stays."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {in_words(error)}; choose another file.", cause="file") from None


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("export")(export)
