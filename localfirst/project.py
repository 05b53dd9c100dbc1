"""A project as a Python program uses it: `localfirst.open` gives one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from localfirst import settings
from localfirst.client.opening import open_session
from localfirst.client.user import user_name
from localfirst.operations.call import call
from localfirst.operations.registry import OPERATIONS


class Project:
    """The tools of one project, in this process. It belongs to the thread that opened it; another thread opens its own.

    Attributes:
        root: the project's root: the enclosing git work tree, else the directory that was given.
    """

    def __init__(self, root: Path | str | None, client: str | None, environment: Mapping[str, str] | None) -> None:
        self._session = open_session(settings.load(None if root is None else Path(root), environment))
        self._session.client_name = client or user_name()
        self.root = self._session.settings.root

    @property
    def tools(self) -> tuple[str, ...]:
        """The names that `call` knows, as the tool contract has them."""
        return tuple(operation.name for operation in OPERATIONS)

    def call(self, tool: str, /, **arguments: object) -> dict[str, Any]:
        """Carries out a tool with the contract's arguments, and returns the contract's result.

        Raises a `LocalfirstError`: `ValidationError` for a tool or an argument that is not known, and what the tool raises.
        With a server configured a write returns when it is on this machine's disk, and is sent within a second.
        """
        return call(self._session, tool, arguments)

    def close(self) -> None:
        """Sends what can be sent within a second, and lets go of everything. What is not sent by then is kept."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
