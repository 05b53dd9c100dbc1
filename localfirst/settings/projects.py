"""What the user's table beside the replicas knows: repositories by their marks, projects by the keys of their names.

    repositories   mark → {git: the common directory where it was last seen, replica: a file's name}
    names          key of a name → a file's name; a project that was renamed has several
    replicas       a file's name → {name: the project's, taken_into: the file that has all of it, state: how it looked then,
                   root: the directory without a repository that uses it}

Values that make no sense count as absent. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from localfirst_schema.project_key import project_key

TABLE = "projects"
_CHAIN_MAX = 20


class Marked(NamedTuple):
    """A repository that is known."""

    git: str
    replica: str


class Projects:
    """The table, as it was read; changed in place where its owner writes it back."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    @property
    def is_new(self) -> bool:
        """Whether nobody has looked yet which replicas there are."""
        return not isinstance(self.content.get("replicas"), dict)

    def repository(self, mark: str | None) -> Marked | None:
        """The repository of this mark."""
        found = self._of("repositories").get(mark) if mark is not None else None
        if not isinstance(found, dict):
            return None
        git, replica = found.get("git"), _file_name(found.get("replica"))
        return Marked(git, self.now(replica)) if isinstance(git, str) and replica is not None else None

    def named(self, name: str) -> str | None:
        """The file of the project that has this name."""
        found = _file_name(self._of("names").get(project_key(name)))
        return self.now(found) if found is not None else None

    def name_of(self, replica: str) -> str | None:
        """The name of the project in this file; None while it has none."""
        found = self._of("replicas").get(replica)
        name = found.get("name") if isinstance(found, dict) else None
        return name if isinstance(name, str) and name else None

    def is_known(self, replica: str) -> bool:
        """Whether this file has been used since the table is kept."""
        return replica in self._of("replicas")

    def now(self, replica: str) -> str:
        """The file that has what was in this one: itself, mostly."""
        for _ in range(_CHAIN_MAX):
            found = self._of("replicas").get(replica)
            into = _file_name(found.get("taken_into")) if isinstance(found, dict) else None
            if into is None:
                break
            replica = into
        return replica

    def others_named(self, replica: str, name: str) -> Iterator[str]:
        """Other files of the same project, whose content is not in this one yet."""
        for other in sorted(self._of("replicas")):
            known = self.name_of(other)
            if other == replica or known is None or self.now(other) != other or self._is_own(other):
                continue
            if project_key(known) == project_key(name):
                yield other

    def _is_own(self, replica: str) -> bool:
        found = self._of("replicas").get(replica)
        return isinstance(found, dict) and found.get("own") is True

    def holders(self, replica: str) -> list[str]:
        """The common git directories of the repositories that use this file."""
        found = (self.repository(mark) for mark in self._of("repositories"))
        return [one.git for one in found if one is not None and one.replica == replica]

    def put_repository(self, mark: str, git: Path, replica: str) -> None:
        """The repository of this mark stands there and uses this file."""
        self._made("repositories")[mark] = {"git": str(git), "replica": replica}

    def forget_repository(self, mark: str) -> None:
        """There is no repository of this mark any more."""
        self._made("repositories").pop(mark, None)

    def put_name(self, replica: str, name: str | None, *, shared: bool = True) -> None:
        """The project in this file has this name. Of a name that is not shared no other directory is led here."""
        entry = self._made("replicas").setdefault(replica, {})
        if name is not None:
            entry["name"] = name
            if shared:
                self._made("names")[project_key(name)] = replica
                entry.pop("own", None)
            else:
                entry["own"] = True

    def root_of(self, replica: str) -> Path | None:
        """The directory, without a repository, that last used this file."""
        found = self._of("replicas").get(replica)
        root = found.get("root") if isinstance(found, dict) else None
        return Path(root) if isinstance(root, str) and root else None

    def put_root(self, replica: str, root: Path) -> None:
        """This directory, which is in no repository, uses this file."""
        self._made("replicas").setdefault(replica, {})["root"] = str(root)

    def imported(self, replica: str) -> object:
        """How many rows and unsent changes this file had when somebody took it into a project by hand; None: nobody did."""
        found = self._of("replicas").get(replica)
        return found.get("imported") if isinstance(found, dict) else None

    def put_imported(self, replica: str, held: list[int]) -> None:
        """Somebody has taken the file, which holds so much, into a project by hand."""
        self._made("replicas").setdefault(replica, {})["imported"] = held

    def put_taken(self, replica: str, into: str, state: list[int]) -> None:
        """All of this file, which looks so, is in the other one."""
        self._made("replicas").setdefault(replica, {}).update(taken_into=into, state=state)

    def taken_by(self, replica: str) -> Iterator[tuple[str, object]]:
        """The files that this one has taken in, and how they looked then."""
        for name, entry in self._of("replicas").items():
            if isinstance(entry, dict) and entry.get("taken_into") == replica:
                yield name, entry.get("state")

    def _of(self, name: str) -> Mapping[str, Any]:
        found = self.content.get(name)
        return found if isinstance(found, dict) else {}

    def _made(self, name: str) -> dict[str, Any]:
        if not isinstance(self.content.get(name), dict):
            self.content[name] = {}
        made: dict[str, Any] = self.content[name]
        return made


def _file_name(value: object) -> str | None:
    """The value, if it is the name of a file in the replicas' own folder."""
    return value if isinstance(value, str) and Path(value).name == value and value not in ("", ".", "..") else None
