"""The status file as git has it: the newest committed text, also of a file that was removed since."""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger("localfirst.git")

BUDGET_S = 2
"""How long git may take; a history of 50 000 commits answers well within it."""


def committed_text(root: Path, file: Path) -> str | None:
    """The last committed text of `file`, or None: no repository, no such commit, no git, or git too slow."""
    try:
        import git
    except ImportError:  # GitPython looks for the program `git` when it is imported
        return None
    try:
        with git.Repo(root, search_parent_directories=True) as repository:
            if repository.working_dir is None:
                return None
            name = file.resolve().relative_to(Path(repository.working_dir).resolve()).as_posix()
            # Of a removed file the commit before its removal is wanted: the last one that added or changed it.
            commit = repository.git.log("-1", "--diff-filter=AMR", "--format=%H", "--", name, kill_after_timeout=BUDGET_S)
            if not commit:
                return None
            return str(repository.git.show(f"{commit}:{name}", kill_after_timeout=BUDGET_S, strip_newline_in_stdout=False))
    except (git.GitError, ValueError, OSError) as error:
        logger.info("git has no status file to read from: %s", type(error).__name__)
        return None
