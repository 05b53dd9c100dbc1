"""Where the user's replicas stand, and which of them is a project's. The one place that names a replica's file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import platformdirs


def folder() -> Path:
    """The folder of the replicas, under the platform's user data directory; it need not exist yet."""
    return Path(platformdirs.user_data_dir("localfirst", appauthor=False)) / "replicas"


def default_replica(root: Path, project: str | None) -> Path:
    """One file per project; an unnamed project is known by its root."""
    key = project or str(root)
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[-60:]
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return folder() / f"{readable}-{digest}.sqlite3"


def replica_named_by_a_file(root: Path, project: str) -> Path:
    """The replica of a project that a file in its checkout names.

    A file that was not allowed yet has named the checkout's own replica (see `origin.may_name_project`); that one stays the
    project's when the file is allowed later.
    """
    own = default_replica(root, None)
    return own if own.exists() and _name_in(own) == project else default_replica(root, project)


def _name_in(replica: Path) -> str | None:
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
