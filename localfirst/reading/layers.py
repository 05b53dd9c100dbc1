"""What answers when the replica is away or cannot be written: layers, each as a replica, so that all questions stay alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw
from localfirst_schema.errors import LocalfirstError

from localfirst.markdown.parse import parse
from localfirst.markdown.source import read_source, split_lines
from localfirst.migration.plan import Surroundings, plan
from localfirst.migration.record import source_file
from localfirst.migration.write import write_plan
from localfirst.reading.git_history import committed_text
from localfirst.replica.act import act
from localfirst.replica.migrate import LATEST, migrate
from localfirst.replica.replica import begin
from localfirst.settings import Settings


class Layer(NamedTuple):
    """A layer that answers: its name in `data_source`, the warning that goes with it, and its rows."""

    source: str
    warning: str
    rows: apsw.Connection


def next_layer(settings: Settings) -> Layer:
    """The first layer below the replica that has anything to say; an empty one where none has."""
    if (replica := _read_only(settings)) is not None:
        return Layer("sqlite_cache", "using_fallback_cache", replica)
    texts: tuple[tuple[str, str, Callable[[Settings], str | None]], ...] = (
        ("git_history", "using_git_history_fallback", lambda s: committed_text(s.root, s.markdown)),
        ("markdown_file", "using_markdown_fallback", _working_text),
    )
    for source, warning, text_of in texts:
        text = text_of(settings)
        if text is not None:
            return Layer(source, warning, rows_of(settings, text))
    return Layer("markdown_file", "using_markdown_fallback", empty(settings))


def _read_only(settings: Settings) -> apsw.Connection | None:
    """The replica's file where it can be read and not written; what is in its log alone is not seen then."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            connection = apsw.Connection(f"{settings.replica.resolve().as_uri()}?{mode}", flags=flags)
            if connection.pragma("user_version") == LATEST:
                name = connection.execute("SELECT project_name FROM replica").get
                return connection if name in (settings.project, None) else None
        except (apsw.Error, OSError):
            continue
    return None


def _working_text(settings: Settings) -> str | None:
    try:
        return read_source(settings.markdown)
    except (OSError, LocalfirstError):
        return None


def empty(settings: Settings) -> apsw.Connection:
    """A replica in memory, with the project's configuration and nothing else."""
    connection = apsw.Connection(":memory:")
    migrate(connection, Path(":memory:"))
    begin(connection, settings.project)
    return connection


def rows_of(settings: Settings, text: str) -> apsw.Connection:
    """A replica in memory with what a status file says; what cannot be stored is left out."""
    connection = empty(settings)
    project_id = connection.execute("SELECT project_id FROM replica").get
    planned = plan(parse(text), Surroundings(str(project_id)))
    with act(connection, None) as open_act:
        source = source_file(settings.markdown.name, text)
        write_plan(open_act, planned, source, split_lines(text).lines, str(project_id))
    return connection
