"""`localfirst server delete-project`: asks, writes all rows to a private file, and deletes.

The file has a line for each row, `{"table": …, "row": {…}}`, the project's own first of all.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from localfirst_schema import timestamps
from localfirst_schema.errors import ValidationError

from localfirst import terminal
from localfirst.cli import wording
from localfirst.cli.command import print_json
from localfirst.cli.commands.export import private_file
from localfirst.replica.recovery.reports import NO_MARKS

if TYPE_CHECKING:
    from localfirst_sync.postgres.connection import Connection


def delete(connection: Connection, name: str, *, is_agreed: bool, output: Path | None, exports: bool, as_json: bool) -> None:
    """Raises ValidationError where nobody has agreed, NotFoundError where there is no such project."""
    from localfirst_sync.postgres import deletion, migrate

    migrate.migrate(connection)
    doomed = deletion.find(connection, name)
    holds = wording.count(doomed.work_items, "work item")
    if not is_agreed and not terminal.is_agreed(
        f"Delete the project {doomed.name} with {holds} and its history from the server?"
    ):
        raise ValidationError("--yes", "was not given", "nothing was deleted: agree on a terminal, or add --yes.")
    path = None
    if exports:
        path = (output or Path(f"{doomed.id}.deleted-{timestamps.now().translate(NO_MARKS)}.jsonl")).absolute()
    written = 0
    with ExitStack() as stack:
        file = stack.enter_context(private_file(path)) if path is not None else None

        def keep(table: str, row: str) -> None:
            nonlocal written
            assert file is not None
            file.write(msgspec.json.encode({"table": table, "row": msgspec.Raw(row.encode())}) + b"\n")
            written += 1

        # The file is whole and in its place before anything goes.
        deletion.delete(connection, doomed, keep if file is not None else None, stack.close)
    if as_json:
        print_json({
            "success": True, "warnings": [], "project_id": doomed.id, "project": doomed.name, "work_items": doomed.work_items,
            "path": None if path is None else str(path), "rows": written,
        })  # fmt: skip
        return
    terminal.say(f"Deleted {doomed.name} with {holds} from the server.")
    if path is not None:
        terminal.say(f"Its {wording.count(written, 'row')} stand in {path}.")
