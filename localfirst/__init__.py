"""localfirst: a local-first sync engine for AI coding agents and the people beside them.

    import localfirst

    with localfirst.open() as project:
        made = project.call("create_work_item", item_type="task", title="Read the contract")

`open` gives the project of a directory as the MCP server and the command line see it: the same settings, tools, results and
errors. Nothing else of this package is for programs to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localfirst_schema.errors import (
        CycleError,
        DuplicateError,
        InvalidStateError,
        LocalfirstError,
        NotFoundError,
        UnavailableError,
        ValidationError,
        VersionMismatchError,
    )

    from localfirst.project import Project

__all__ = [
    "CycleError",
    "DuplicateError",
    "InvalidStateError",
    "LocalfirstError",
    "NotFoundError",
    "Project",
    "UnavailableError",
    "ValidationError",
    "VersionMismatchError",
    "__version__",
    "open",
]

__version__ = "0.1.0"


def open(root: Path | str | None = None, *, client: str | None = None, environment: Mapping[str, str] | None = None) -> Project:
    """Opens the project of a directory; close it, or use it in a `with`.

    Args:
        root: the directory (default: `LOCALFIRST_ROOT`, else the current one); of a git work tree any directory will do.
        client: who writes, where neither a call nor the settings say (default: the user's name on this machine).
        environment: the settings by their names, as `LOCALFIRST_DATABASE_URL` (default: the process's environment).

    Raises `ValidationError` for settings that make no sense. A replica that cannot be used is no error: reads answer from the
    next layer, and writes raise `UnavailableError`.
    """
    from localfirst.project import Project

    return Project(root, client, environment)


def __getattr__(name: str) -> Any:
    # The program itself imports this package at each start, and needs none of it.
    if name == "Project":
        from localfirst.project import Project

        return Project
    if name in __all__:
        from localfirst_schema import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
