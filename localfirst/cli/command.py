"""One command at work: the session it opens, the operations it runs, the answer it gives."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

from localfirst_schema.entities import Entity
from localfirst_schema.errors import LocalfirstError, VersionMismatchError

from localfirst import settings, terminal
from localfirst.cli import ids, wording
from localfirst.client.follow_up import tried
from localfirst.client.opening import open_session
from localfirst.client.session import Session
from localfirst.client.user import user_name
from localfirst.log import log_to_file
from localfirst.operations.call import call
from localfirst.operations.registry import BY_NAME
from localfirst.replica import outbox
from localfirst.replica.connection import connect, sqlite_errors

Result: TypeAlias = dict[str, Any]

logger = logging.getLogger("localfirst")

ATTEMPTS = 5
"""How often a change of the present version is tried again when somebody else's comes between reading and writing."""


class Command:
    """What a command's function works with.

    Attributes:
        wrote: whether an operation that writes was carried out.
    """

    def __init__(self, session: Session, *, as_json: bool) -> None:
        self.session = session
        self.wrote = False
        self._as_json = as_json

    def run(self, operation: str, **arguments: object) -> Result:
        """The result of an operation. Raises a `LocalfirstError`, also for arguments that break a rule."""
        result = call(self.session, operation, arguments)
        self.wrote = self.wrote or BY_NAME[operation].effect != "read"
        return result

    def run_on(self, version: int | None, present: Callable[[], int], operation: str, **arguments: object) -> Result:
        """Changes something from `version`, or from whatever version is present: a person at the keyboard means that one."""
        if version is not None:
            return self.run(operation, version=version, **arguments)
        for _ in range(ATTEMPTS - 1):
            try:
                return self.run(operation, version=present(), **arguments)
            except VersionMismatchError:
                continue
        return self.run(operation, version=present(), **arguments)

    def resolve(self, entity: Entity, given: str) -> str:
        """The whole id for what a person typed."""
        return ids.resolve(self.session, entity, given)

    def short(self, entity: Entity, row_id: str) -> str:
        """As much of an id as a person has to type."""
        return ids.shortest(self.session, entity, row_id)

    def answer(self, result: Result, view: Callable[[Result], None]) -> None:
        """Prints the result: as it is for a program, by `view` and with its warnings in words for a person."""
        try:
            self._show(result, view)
        except OSError:  # standard output cannot be written
            raise
        except Exception as error:
            if not self.wrote:
                raise
            logger.error("the result of a write could not be displayed; the write is stored", exc_info=error)
            sys.stderr.write("It is done, and could not be displayed: see the log.\n")  # as plainly as can be

    def _show(self, result: Result, view: Callable[[Result], None]) -> None:
        if self._as_json:
            print_json(result)
            return
        view(result)
        if (words := wording.warnings(result)) is not None:
            terminal.note(words)


def print_json(result: Result) -> None:
    """A result on one line of standard output."""
    import msgspec

    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
    sys.stdout.buffer.flush()


def given(**options: object) -> dict[str, object]:
    """Those options that the caller gave."""
    return {name: value for name, value in options.items() if value is not None}


def cleared(fields: list[str] | None) -> dict[str, object]:
    """Fields to be emptied, as arguments."""
    return {"clear": [field.replace("-", "_") for field in fields]} if fields else {}


@contextmanager
def command(*, as_json: bool) -> Iterator[Command]:
    """Opens the session of the current directory's project for one command, and sends what it wrote."""
    log_to_file()
    # What stands in for a session without its replica has all that a command needs of one.
    session = cast("Session", open_session(settings.load()))
    session.client_name = user_name()
    session.is_command = True
    if session.link is not None:
        session.link.for_one_command()
    opened = Command(session, as_json=as_json)
    try:
        yield opened
    finally:
        _close(opened)
    if opened.wrote:
        tried(lambda: _tell_unsent(session), None, [])


def _close(opened: Command) -> None:
    try:
        opened.session.close((lambda: _tell_of_wait(opened.session)) if opened.wrote else None)
    except Exception as error:
        if not opened.wrote:
            raise
        logger.error("the session did not close cleanly after a write; the write is stored", exc_info=error)


def _tell_of_wait(session: Session) -> None:
    with sqlite_errors():
        unsent = outbox.count(session.replica)
    terminal.note(f"Sending {wording.count(unsent, 'change')} to the server …")


def _tell_unsent(session: Session) -> None:
    if session.link is None:
        return
    try:
        with sqlite_errors():
            replica = connect(session.settings.replica)
            unsent = outbox.count(replica)
            replica.close()
    except LocalfirstError:
        return
    if unsent:
        are = "is" if unsent == 1 else "are"
        terminal.note(f"{wording.count(unsent, 'change')} {are} kept here and will be sent when the server answers.")
