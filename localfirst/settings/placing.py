"""Where a directory's replica is: looks at the repository's mark and the user's table, and has `finding` decide."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from localfirst.git.mark import read_mark
from localfirst.git.place import Repository
from localfirst.settings.finding import Directory, Folder, Found, Names, find, is_settled
from localfirst.settings.place import name_in
from localfirst.settings.projects import Projects
from localfirst.settings.replicas_folder import folder


class Placing(NamedTuple):
    """Which replica the directory uses, and of what that followed. `is_settled` if the user's table says it already."""

    place: Directory
    names: Names
    found: Found
    is_settled: bool

    @property
    def replica(self) -> Path:
        """The replica's file."""
        return folder() / self.found.replica


def directory_of(root: Path, repository: Repository | None, projects: Projects) -> Directory:
    """Where somebody works. The mark counts unless this is a copy of a repository that is still in its place."""
    if repository is None:
        return Directory(root, None, None)
    mark = read_mark(repository.common)
    known = projects.repository(mark)
    if known is not None and known.git != str(repository.common) and _is_still_at(Path(known.git), repository.common, mark):
        return Directory(root, repository.common, None, copy_of=Path(known.git))
    return Directory(root, repository.common, mark)


def _is_still_at(known: Path, here: Path, mark: str | None) -> bool:
    try:
        return not known.samefile(here) and read_mark(known) == mark
    except OSError:
        return False


def placed(place: Directory, names: Names, projects: Projects) -> Placing:
    """Which replica the directory uses."""
    there = folder()
    files = Folder(
        exists=lambda name: (there / name).exists(),
        name_in=lambda name: name_in(there / name),
        state=lambda name: state_of(there / name),
    )
    found = find(place, names, projects, files)
    return Placing(place, names, found, is_settled(place, found, projects))


def state_of(replica: Path) -> list[int]:
    """What is another one when the file, or its log, was written to."""
    state = []
    for path in (replica, replica.with_name(f"{replica.name}-wal")):
        try:
            found = path.stat()
            state += [found.st_mtime_ns, found.st_size]
        except OSError:
            state += [0, 0]
    return state
