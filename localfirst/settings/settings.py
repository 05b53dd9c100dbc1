"""The settings that are in force."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from localfirst.settings.placing import Placing


class Settings(NamedTuple):
    """All settings of one project. `database_url`, `server_token` and `embedding_token` are secrets: never
    logged, displayed or stored. At most one of `database_url` and `server_url` is there.

    Attributes:
        untrusted: names of the settings in the checkout's file that were ignored, sorted.
        is_name_withheld: the project's name is among them, and nothing else names the project: no server is informed of it.
        named_by_user: whether the project's name is what the user (or a file that he has allowed) says.
        placing: how the replica was found; None where the user has named its file.
    """

    root: Path
    replica: Path
    markdown: Path
    project: str | None
    client: str | None
    database_url: str | None
    read_from: str
    embedding: str = "builtin"
    embedding_url: str | None = None
    embedding_token: str | None = None
    embedding_requests_per_minute: int | None = None
    share_code: bool = True
    archiving: bool = True
    tools: str = "all"
    untrusted: tuple[str, ...] = ()
    is_name_withheld: bool = False
    named_by_user: bool = False
    placing: Placing | None = None
    server_url: str | None = None
    server_token: str | None = None

    @property
    def has_server(self) -> bool:
        """Whether there is a server to reconcile with, whichever way it is reached."""
        return self.database_url is not None or self.server_url is not None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Settings(root={self.root}, project={self.project!r}, server={'yes' if self.has_server else 'no'})"
