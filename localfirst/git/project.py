"""Which project a directory belongs to: its root and, from the git remote, the name that all who work on it share."""

from __future__ import annotations

from pathlib import Path

from localfirst.git.place import Repository, repository_at
from localfirst.git.remotes import name_from_url, remote_url

__all__ = ["find_root", "name_from_git", "name_from_url", "name_of_repository"]


def find_root(directory: Path) -> Path:
    """The enclosing git work tree, else the directory itself."""
    directory = directory.resolve()
    for candidate in (directory, *directory.parents):
        if (candidate / ".git").exists():
            return candidate
    return directory


def name_from_git(root: Path) -> str | None:
    """``host/owner/name`` of the remote `origin` (or of the only other one); None without a remote.

    Credentials in the URL are dropped, or the remote is refused. Without a remote no process is started for it.
    """
    repository = repository_at(root)
    return None if repository is None else name_of_repository(repository)


def name_of_repository(repository: Repository) -> str | None:
    """The same for a repository that was found already."""
    url = remote_url(repository)
    return name_from_url(url) if url else None
