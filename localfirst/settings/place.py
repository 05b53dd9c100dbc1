"""How a replica's file is called. The one place that names one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from localfirst.settings.replicas_folder import folder


def default_replica(root: Path, project: str | None) -> Path:
    """Where the replica of a new project is begun; that of one without a name is called after its root."""
    return folder() / name_of_default(root, project)


def possible_names(root: Path, project: str | None) -> Iterator[str]:
    """The names of files for it: the usual one first, and further ones where another project has that."""
    yield name_of_default(root, project)
    for number in count(2):
        yield _named(f"{project or root} {number}")


def name_of_default(root: Path, project: str | None) -> str:
    """The file's name alone."""
    return _named(project or str(root))


def _named(key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[-60:]
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{readable}-{digest}.sqlite3"


def name_in(replica: Path) -> str | None:
    """The name of the project that a replica's file holds; None where it has none, or cannot be read."""
    import apsw

    try:
        connection = apsw.Connection(f"{replica.as_uri()}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            name = connection.execute("SELECT project_name FROM replica").get
        finally:
            connection.close()
    except apsw.Error:
        return None  # a replica that cannot be read has no name; whoever opens it says what is wrong with it
    return name if isinstance(name, str) else None
