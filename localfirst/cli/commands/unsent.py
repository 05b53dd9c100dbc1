"""`localfirst sync --drop-unsent`: gives up what waits to be sent, such as what somebody who may only read had written before.

It goes to a private file beside the replica first, so that nobody loses what he can still read there.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from localfirst_schema import timestamps
from localfirst_schema.errors import ValidationError

from localfirst import terminal
from localfirst.cli import wording
from localfirst.cli.command import Command, print_json
from localfirst.cli.commands.export import private_file
from localfirst.replica import dropping, outbox
from localfirst.replica.recovery.reports import NO_MARKS


def drop(this: Command, *, is_agreed: bool, as_json: bool) -> None:
    """Asks, writes the file, and drops. Raises ValidationError where nobody has agreed."""
    replica = this.session.replica
    waiting = outbox.count(replica)
    if not waiting:
        if as_json:
            print_json({"success": True, "warnings": [], "dropped": 0, "path": None})
        else:
            terminal.say("Nothing waits to be sent.")
        return
    question = f"Give up {wording.count(waiting, 'change')} that the server does not have?"
    if not is_agreed and not terminal.is_agreed(question):
        raise ValidationError(
            "--drop-unsent",
            "was not agreed to",
            f"nothing was dropped: {wording.count(waiting, 'change')} still waits; agree on a terminal, or add --yes.",
        )
    path = _written(this)
    dropped = dropping.drop(replica)
    if this.session.link is not None:
        this.session.link.wake()
    if as_json:
        print_json({"success": True, "warnings": [], "dropped": dropped, "path": str(path)})
        return
    terminal.say(f"Dropped {wording.count(dropped, 'change')}; they stand in {path}.")
    terminal.say("What the server has of these rows is fetched with the next synchronisation.")


def _written(this: Command) -> Path:
    file = this.session.settings.replica
    path = file.with_name(f"{file.name}.dropped-{timestamps.now().translate(NO_MARKS)}.json").absolute()
    with private_file(path) as target:
        changes = list(dropping.waiting(this.session.replica))
        target.write(msgspec.json.format(msgspec.json.encode({"format": 1, "changes": changes}), indent=1))
    return path
