"""What the git history says of the project: the status file as it was last committed, and the deployments of merge commits.

One question is one `git` process over plumbing output, within a time limit, whatever the size of the history. Where git cannot
answer (not installed, no repository, no commit, too slow) there is nothing, and a note in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from localfirst.reading.merge_commits import FORMAT, MergedChange, merged_changes

if TYPE_CHECKING:
    from git import Repo

logger = logging.getLogger("localfirst.git")

BUDGET_S = 2
"""How long git may take for one question; a history of 50 000 commits is read through well within it."""

MERGES_MAX = 500
"""So many of the newest merges count as deployments."""

_MERGE_SUBJECTS = (r"--grep=^Merge pull request #[0-9]", r"--grep=(#[0-9]\+)$", r"--grep=^Merge branch .* into ")


class GitHistory(NamedTuple):
    """The last committed text of the status file (None: there never was one), and merged changes, newest first."""

    text: str | None
    merges: tuple[MergedChange, ...]


def read_history(root: Path, file: Path) -> GitHistory | None:
    """What git says of the project at `root` whose status file is `file`; None where it says nothing."""
    with _repository(root) as repository:
        if repository is None:
            return None
        found = GitHistory(_committed_text(repository, file), _merges(repository))
        return found if found.text is not None or found.merges else None


@contextmanager
def _repository(root: Path) -> Iterator[Repo | None]:
    try:
        import git
    except ImportError:  # GitPython looks for the program `git` when it is imported
        logger.info("git is not installed")
        yield None
        return
    try:
        repository = git.Repo(root, search_parent_directories=True)
    except (git.GitError, ValueError, OSError) as error:
        logger.info("there is no git repository to read from: %s", type(error).__name__)
        yield None
        return
    with repository:
        yield repository if repository.working_dir is not None else None


def _committed_text(repository: Repo, file: Path) -> str | None:
    try:
        name = file.resolve().relative_to(Path(repository.working_dir).resolve()).as_posix()
    except (ValueError, OSError):
        return None  # the status file lies outside
    # Of a removed or renamed file the commit before that is wanted: the last one that added or changed it.
    commit = _ask(repository, "log", "-1", "--diff-filter=AMR", "--format=%H", "--", name)
    return _ask(repository, "show", f"{commit}:{name}") if commit else None


def _merges(repository: Repo) -> tuple[MergedChange, ...]:
    text = _ask(
        repository, "log", "--first-parent", f"--max-count={MERGES_MAX}", *_MERGE_SUBJECTS, f"--format={FORMAT}", "HEAD", "--"
    )
    return tuple(merged_changes(text or ""))


def _ask(repository: Repo, command: str, *arguments: str) -> str | None:
    """What `git` prints; None where it fails or does not end in time."""
    import git

    try:
        ask = getattr(repository.git, command)
        return str(ask(*arguments, kill_after_timeout=BUDGET_S, strip_newline_in_stdout=command == "log"))
    except (git.GitError, ValueError, OSError) as error:
        logger.info("git has no answer to %s: %s", command, type(error).__name__)
        return None
