"""Brings a replica's file to the schema of this program: numbered files, each in one transaction, never downgraded."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import apsw
from localfirst_schema.errors import UnavailableError

from localfirst.replica import leases, refs
from localfirst.replica.connection import immediate


class Migration(NamedTuple):
    """One step; `number` is what ``PRAGMA user_version`` says after it."""

    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """All steps, in order."""
    found = []
    for file in files("localfirst_schema").joinpath("sqlite").iterdir():
        if file.name.endswith(".sql"):
            found.append(Migration(int(file.name[:4]), file.name, file.read_text()))
    return sorted(found)


LATEST = 15
"""The newest step's number; a test holds it equal to the files', so that opening a current replica reads none of them."""


REFS_FROM = 10
"""The step that gives work items their refs, which SQL alone cannot compute."""

CLAIMS_FROM = 12
"""The step that makes claims of what was claimed in the items, with ids that SQL alone cannot compute."""


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Applies what is missing. An older file that holds data is copied beside itself first.

    Raises UnavailableError for a file of a newer program: it is left as it is.
    """
    present = connection.pragma("user_version")
    if present == LATEST:
        return
    if present > LATEST:
        raise UnavailableError(
            f"the replica was written by a newer version of localfirst (schema {present}, this one knows {LATEST});"
            " upgrade localfirst. Nothing was changed.",
            cause="replica",
        )
    if present == 0 and connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").get:
        raise UnavailableError(
            f"the file {path} is another program's database; set LOCALFIRST_REPLICA to a file of its own. Nothing was changed.",
            cause="replica",
        )
    if present > 0:
        backup = path.with_name(f"{path.name}.before-{LATEST}")
        if not backup.exists():
            connection.execute("VACUUM INTO ?", (str(backup),))
            backup.chmod(0o600)
    for step in migrations():
        with immediate(connection):
            # Another process may have been quicker.
            if connection.pragma("user_version") < step.number:
                for _ in connection.execute(step.sql):
                    pass
                if step.number == REFS_FROM:
                    refs.know_refs(connection)
                    refs.fill(connection)
                if step.number == CLAIMS_FROM and present:
                    leases.carry_over(connection)
                connection.pragma("user_version", step.number)
