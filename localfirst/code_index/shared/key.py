"""The name by which the team's server knows a repository: that of its git remote, else one of this replica and this place.

A repository with a remote is the team's: whoever indexes a checkout of it publishes the same tree. One without is its owner's,
and two of one directory name on one machine are two: `be4f3d69/notes-3c01a9f2` is the notes at one place, known to one replica.
Its work trees are one there too, and the tree is the one that was published last.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import apsw
from localfirst_schema.project_key import project_key

from localfirst.code_index.store.repositories import Repository, root_text
from localfirst.git.project import find_root, name_from_git

_OWNER = 8
"""Characters of the replica's id that stand before the name."""

_PLACE_BYTES = 4

_KEY_OF = "SELECT shared_key FROM code_repositories WHERE root = ?"


def shared_key(repository: Repository, replica_id: str) -> str:
    """The repository's name on the server as it has to be by now; it may have been published under another one."""
    if (remote := name_from_git(Path(repository.root))) is not None:
        return project_key(remote)
    tree = repository.work_tree
    where = tree.in_main(repository.root) if tree is not None and tree.is_linked else repository.root
    place = hashlib.blake2b(where.encode(), digest_size=_PLACE_BYTES).hexdigest()
    return f"{_owner(replica_id)}{repository.name}-{place}"


def is_own(key: str, replica_id: str) -> bool:
    """Whether this replica alone publishes under this name."""
    return key.startswith(_owner(replica_id))


def is_spelling(name: str, key: str) -> bool:
    """Whether this is the same repository in an address's own spelling, under which it was published before names had keys."""
    return name != key and project_key(name) == key


def key_at(connection: apsw.Connection, directory: Path) -> str | None:
    """Under which name the repository that holds this directory was published from here, else what its git remote says."""
    here = directory.resolve()
    for root in (here, *here.parents):
        if key := connection.execute(_KEY_OF, (root_text(root),)).get:
            return str(key)
    remote = name_from_git(find_root(here))
    return None if remote is None else project_key(remote)


def _owner(replica_id: str) -> str:
    return f"{replica_id[:_OWNER]}/"
