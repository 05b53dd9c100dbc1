"""A project in a folder of its own: its settings, its rows, and the migration of a file into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
from localfirst_schema.entities import ENTITIES
from localfirst_schema.wire import Row

from localfirst import settings
from localfirst.client.session import Session
from localfirst.migration.migrate import migrate
from localfirst.operations.registry import BY_NAME
from localfirst.replica.rows import select

TOOL = Path(__file__).parents[2] / "tools" / "migrate_project_status.py"
SAMPLE = Path(__file__).parents[1] / "data" / "project_status.md"
COUNTS = {"vendor_count": 45, "deployment_history": 12, "enhancements": 9, "session_prompts": 25}


class Project:
    """One project; every `migrate` is a run of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.file = folder / ".project_status.md"
        self.backup = folder / ".project_status.md.backup"
        self.replica = folder / "replica.sqlite3"
        self.environment = {"LOCALFIRST_REPLICA": str(self.replica), "LOCALFIRST_PROJECT": "tests/migration"}

    def write(self, content: str | bytes) -> None:
        """Puts the status file there."""
        self.file.write_bytes(content.encode() if isinstance(content, str) else content)

    def settings(self) -> settings.Settings:
        """The project's settings."""
        return settings.load(self.folder, self.environment)

    def migrate(
        self, content: str | bytes | None = None, *, dry_run: bool = False, prompts: Path | None = None
    ) -> dict[str, Any]:
        """Migrates the file (after writing it, if a content is given) and returns the report."""
        if content is not None:
            self.write(content)
        return migrate(self.file, self.settings(), dry_run=dry_run, prompts=prompts).as_dict()

    def tool(self, *arguments: str, program: Path = TOOL) -> subprocess.CompletedProcess[str]:
        """The program, as a person runs it in the project's folder."""
        return subprocess.run(
            [sys.executable, str(program), *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def session(self) -> Session:
        """A session on the project's replica."""
        return Session(self.settings())

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One operation, as a tool call would run it."""
        session = self.session()
        try:
            return call(session, operation, **arguments)
        finally:
            session.close()

    def rows(self) -> dict[str, list[Row]]:
        """Every row of every entity; the configuration, which is always there, left out."""
        connection = apsw.Connection(str(self.replica))
        try:
            found = {entity.table: select(connection, entity, "true ORDER BY id") for entity in ENTITIES}
            found["history"] = [{"count": connection.execute("SELECT count(*) FROM history").get}]
        finally:
            connection.close()
        del found["project_configuration"]
        return found

    def is_empty(self) -> bool:
        """Whether nothing was ever written here."""
        if not self.replica.exists():
            return True
        rows = self.rows()
        return rows.pop("history") == [{"count": 0}] and not any(rows.values())

    def execute(self, sql: str) -> None:
        """SQL on the replica's file, past the program."""
        self.session().close()
        connection = apsw.Connection(str(self.replica))
        connection.execute(sql)
        connection.close()


def call(session: Session, operation: str, **arguments: Any) -> dict[str, Any]:
    """One operation."""
    found = BY_NAME[operation]
    if found.rows is not None:
        arguments.setdefault("detail", "full")  # tests look at every field
    return found.run(session, found.arguments.model_validate(arguments))
