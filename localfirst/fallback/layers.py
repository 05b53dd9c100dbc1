"""The layers below the replica: git and the status file, each as a replica in memory, so that all questions stay alike.

A layer is read when it is needed, and kept while it cannot have changed (the file by its time and size, git by the commit that
is checked out), but not for longer than `KEPT_S`. Its rows have the ids that a migration of the same text would give them, and
the versions that the text tells. Their history is empty: a text does not say how it came about.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from localfirst_schema.entities import DEPLOYMENT, WORK_ITEM
from localfirst_schema.errors import LocalfirstError
from localfirst_schema.identifiers import natural_id

from localfirst.checkout import file_of_checkout
from localfirst.fallback.git_history import read_history
from localfirst.fallback.merge_commits import MergedChange
from localfirst.git.place import repository_at
from localfirst.git.project import find_root
from localfirst.markdown.document import WorkItem
from localfirst.markdown.parse import parse
from localfirst.markdown.source import REFRESH_LIMIT_BYTES, read_source, split_lines
from localfirst.replica import fulltext
from localfirst.replica.act import act
from localfirst.replica.connection import closed_on_failure
from localfirst.replica.migrate import migrate
from localfirst.replica.refs import know_refs
from localfirst.replica.replica import begin
from localfirst.settings import Settings
from localfirst.status_rows.plan import MIGRATION, Surroundings, plan
from localfirst.status_rows.planned import PlannedRow
from localfirst.status_rows.record import source_file
from localfirst.status_rows.write import write_plan

logger = logging.getLogger("localfirst.layers")

KEPT_S = 5.0


class Layer(NamedTuple):
    """A layer that answers: its name in `data_source`, the warning that goes with it, and its rows."""

    source: str
    warning: str
    rows: apsw.Connection


class Layers:
    """The layers of one project; for one thread."""

    def __init__(self, settings: Settings, project_id: str | None = None) -> None:
        """`project_id` is the replica's: a name says nothing of it, since ids are given once."""
        self._settings = settings
        self._status_file = file_of_checkout(settings.root, settings.markdown)
        self.project_id = project_id
        self._read: dict[str, tuple[float, object, Layer | None]] = {}

    def __iter__(self) -> Iterator[Layer]:
        """Those that have anything to say, in the order in which they are asked."""
        for found in (
            self._kept("git_history", _checked_out(self._settings.root), self._git),
            self._kept("markdown_file", self._status_file.state(), self._markdown),
        ):
            if found is not None:
                yield found

    def nothing(self) -> Layer:
        """What is left where nothing else is: the status file, which says nothing."""
        return Layer("markdown_file", "using_markdown_fallback", empty(self._settings, self.project_id))

    def close(self) -> None:
        """Lets go of everything."""
        for _, _, layer in self._read.values():
            if layer is not None:
                layer.rows.close()
        self._read.clear()

    def _kept(self, name: str, state: object, read: Callable[[], Layer | None]) -> Layer | None:
        at, known, layer = self._read.get(name, (float("-inf"), None, None))
        if known != state or time.monotonic() - at > KEPT_S:
            if layer is not None:
                layer.rows.close()
            layer = read()
            self._read[name] = (time.monotonic(), state, layer)
        return layer

    def _git(self) -> Layer | None:
        history = read_history(self._settings.root, self._settings.markdown)
        if history is None:
            return None
        rows = _rows_of(self._settings, self.project_id, history.text) if history.text is not None else None
        if rows is None and not history.merges:
            return None
        rows = rows or empty(self._settings, self.project_id)
        with closed_on_failure(rows):
            _add_deployments(rows, history.merges)
        return Layer("git_history", "using_git_history_fallback", rows)

    def _markdown(self) -> Layer | None:
        try:
            text = read_source(self._status_file, REFRESH_LIMIT_BYTES)
        except (OSError, LocalfirstError) as error:
            logger.info("the status file cannot be read: %s", type(error).__name__)
            return None
        rows = _rows_of(self._settings, self.project_id, text)
        return None if rows is None else Layer("markdown_file", "using_markdown_fallback", rows)


def _checked_out(root: Path) -> object:
    """What changes with a commit, a checkout or a reset: git's own log of HEAD."""
    repository = repository_at(find_root(root))
    return repository.own_file("logs/HEAD").state() if repository is not None else None


def empty(settings: Settings, project_id: str | None = None) -> apsw.Connection:
    """A replica in memory, with the project's configuration and nothing else."""
    connection = apsw.Connection(":memory:")
    with closed_on_failure(connection):
        know_refs(connection)
        migrate(connection, Path(":memory:"))
        begin(connection, settings.project)
        if project_id is not None:
            configuration = natural_id(project_id, "configuration", "singleton")
            connection.execute("UPDATE replica SET project_id = ?", (project_id,))
            connection.execute("UPDATE project_configuration SET id = ?", (configuration,))
    return connection


def _rows_of(settings: Settings, project_id: str | None, text: str) -> apsw.Connection | None:
    """A replica in memory with what a status file says; what no store can hold is left out. None for what is no text."""
    connection = empty(settings, project_id)
    try:
        with closed_on_failure(connection):
            project = str(connection.execute("SELECT project_id FROM replica").get)
            source = source_file(settings.markdown.name, text)
            planned = plan(parse(text), Surroundings(project))
            with act(connection, None) as open_act:
                written = write_plan(open_act, planned, source, split_lines(text).lines, project)
                _tell_as_the_text_does(connection, written.created)
                _forget_record(connection, natural_id(project, MIGRATION, "record", source.sha256))
    except (LocalfirstError, UnicodeError) as error:
        logger.warning("a status file could not be understood: %s", type(error).__name__)
        return None
    return connection


def _tell_as_the_text_does(connection: apsw.Connection, rows: Iterable[PlannedRow]) -> None:
    """Versions as far as the text has them; and no history, outbox or time of change that only the reading made."""
    for row in rows:
        if isinstance(row.entry, WorkItem) and row.entry.version is not None and 1 <= row.entry.version < 2**63:
            connection.execute("UPDATE work_items SET version = ? WHERE id = ?", (row.entry.version, row.id))
    connection.execute("DELETE FROM outbox")
    connection.execute("DELETE FROM history")


def _forget_record(connection: apsw.Connection, record_id: str) -> None:
    """The record that a migration would leave is no work item of anybody's."""
    fulltext.remove(connection, record_id)
    connection.execute(f"DELETE FROM {WORK_ITEM.table} WHERE id = ?", (record_id,))


def _add_deployments(connection: apsw.Connection, merges: Iterable[MergedChange]) -> None:
    """Merged pull requests that the status file does not tell of, as deployments."""
    known: Iterable[Any] = connection.execute(
        "SELECT json_extract(metadata, '$.pr_number'), json_extract(metadata, '$.commit_hash') FROM deployment_events"
    ).fetchall()
    reported = {value for pair in known for value in pair if value is not None}
    project = str(connection.execute("SELECT project_id FROM replica").get)
    with act(connection, None) as open_act:
        for merge in merges:
            if merge.pr_number in reported or merge.commit_hash in reported:
                continue
            metadata = {"pr_number": merge.pr_number, "pr_title": merge.pr_title, "commit_hash": merge.commit_hash}
            row_id = natural_id(project, MIGRATION, "merge commit", merge.commit_hash)
            open_act.by = merge.author
            values = {"id": row_id, "deployed_at": merge.merged_at, "created_at": merge.merged_at, "metadata": metadata}
            open_act.change(DEPLOYMENT, None, values)
        connection.execute("DELETE FROM outbox")
        connection.execute("DELETE FROM history")
