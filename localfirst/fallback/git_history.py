"""What the git history says of the project: the status file as it was last committed, and the deployments of merge commits.

One question is one `git` process over plumbing output, within a time limit, whatever the size of the history. Where git cannot
answer (not installed, no repository, no commit, too slow) there is nothing, and a note in the log.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from localfirst.fallback.merge_commits import FORMAT, MergedChange, merged_changes
from localfirst.git.objects import is_self_contained
from localfirst.git.place import Repository, repository_at
from localfirst.git.project import find_root
from localfirst.git.references import head_commit
from localfirst.git.runner import SIZE_LIMIT_BYTES, Hash, NoAnswerError, ask
from localfirst.markdown.source import REFRESH_LIMIT_BYTES

logger = logging.getLogger("localfirst.git")

BUDGET_S = 2
"""How long git may take for one question; a history of 50 000 commits is read through well within it."""

MERGES_MAX = 500
"""So many of the newest merges count as deployments."""

_PLAIN = ("--no-show-signature", "--no-color", "--no-ext-diff", "--no-textconv", "--no-mailmap")

_MERGE_SUBJECTS = (r"--grep=^Merge pull request #[0-9]", r"--grep=(#[0-9]\+)$", r"--grep=^Merge branch .* into ")


class GitHistory(NamedTuple):
    """The last committed text of the status file (None: there never was one), and merged changes, newest first."""

    text: str | None
    merges: tuple[MergedChange, ...]


def read_history(root: Path, file: Path) -> GitHistory | None:
    """What git says of the project at `root` whose status file is `file`; None where it says nothing."""
    repository = repository_at(find_root(root))
    objects = _objects(repository) if repository is not None else None
    if repository is None or objects is None:
        logger.info("there is no git repository to read from, or one that reaches outside itself")
        return None
    found = GitHistory(_committed_text(objects, file, repository.top), _merges(objects))
    return found if found.text is not None or found.merges else None


def _committed_text(objects: _Objects, file: Path, top: Path) -> str | None:
    try:
        name = (file.parent.resolve() / file.name).relative_to(top).as_posix()
    except (ValueError, OSError, RuntimeError):
        return None  # the status file lies outside
    # Of a removed or renamed file the commit before that is wanted: the last one that added or changed it.
    found = objects.ask("log", "-1", *_PLAIN, "--diff-filter=AMR", "--format=%H", objects.head, "--", name)
    commit = (found or b"").decode().strip()
    text = objects.ask("cat-file", "blob", f"{commit}:{name}", size_limit_bytes=REFRESH_LIMIT_BYTES) if commit else None
    try:
        return None if text is None else text.decode()
    except UnicodeDecodeError:
        return None


def _merges(objects: _Objects) -> tuple[MergedChange, ...]:
    which = ("--first-parent", f"--max-count={MERGES_MAX}", "--basic-regexp", *_MERGE_SUBJECTS)
    text = objects.ask("log", *_PLAIN, *which, "--encoding=UTF-8", f"--format={FORMAT}", objects.head, "--")
    return tuple(merged_changes((text or b"").decode("utf-8", "replace")))


class _Objects(NamedTuple):
    """The store that git reads from, and the commit that is checked out."""

    environment: dict[str, str]
    kind: Hash
    head: str

    def ask(self, *arguments: str, size_limit_bytes: int = SIZE_LIMIT_BYTES) -> bytes | None:
        """What git prints; None where it fails or does not end in time."""
        try:
            return ask(
                *arguments,
                environment=self.environment,
                kind=self.kind,
                time_limit_s=BUDGET_S,
                size_limit_bytes=size_limit_bytes,
            )
        except NoAnswerError as error:
            logger.info("git has no answer to %s: %s", arguments[0], error)
            return None


def _objects(repository: Repository) -> _Objects | None:
    head = head_commit(repository)
    store = repository.common / "objects"
    if head is None or not is_self_contained(store):
        return None
    environment = {"GIT_OBJECT_DIRECTORY": str(store)}
    if repository.file("shallow").state() is not None:
        environment["GIT_SHALLOW_FILE"] = str(repository.common / "shallow")
    return _Objects(environment, "sha1" if len(head) == 40 else "sha256", head)
