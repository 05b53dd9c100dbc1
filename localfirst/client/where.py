"""Where somebody works: the project and the root, as results name them, and what is said of a directory that is new."""

from __future__ import annotations

from typing import Any

import apsw

from localfirst.git.place import repository_at
from localfirst.settings import Settings

_NAME = "SELECT project_name FROM replica"
_IS_UNUSED = "SELECT cursor_seq = 0 AND NOT EXISTS (SELECT 1 FROM history) FROM replica"


def place(settings: Settings, replica: apsw.Connection) -> dict[str, Any]:
    """`project` (null while it has no name) and `root`."""
    return {"project": replica.execute(_NAME).get, "root": str(settings.root)}


def words_of_new(settings: Settings, replica: apsw.Connection) -> str | None:
    """What to say where nobody has ever worked, and nothing says that it is a project: perhaps it is the wrong directory."""
    if settings.project is not None or not replica.execute(_IS_UNUSED).get or repository_at(settings.root) is not None:
        return None
    return (
        f"{settings.root} is new: it is no git repository, and nothing was ever kept for it, so its project begins empty. If"
        " you expected another one, start the server for its directory (`localfirst mcp --root DIR`, or LOCALFIRST_ROOT)."
    )
