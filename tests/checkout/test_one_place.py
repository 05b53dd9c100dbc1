"""Files of a checkout are opened by `localfirst.checkout`, and git is started by its runner: nobody else does either."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import localfirst

ROOT = Path(localfirst.__file__).parent

OPENING = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "fdopen"}

OPEN_OTHER_FILES = {
    "checkout/file.py": "it is the place",
    "checkout/descent.py": "it is the place",
    "git/runner.py": "our empty repositories",
    "cli/app.py": "the null device",
    "cli/checkup.py": "whether the user's settings are private",
    "cli/commands/export.py": "the file that the user names for an export",
    "cli/failure.py": "the null device",
    "cli/replica_check.py": "reports beside the replica",
    "code_index/pipeline/child.py": "its own standard output",
    "code_index/search/vector_file.py": "the vectors beside the replica",
    "demo/story.py": "the demo's own folder",
    "embedding/static.py": "the model of an installed package",
    "log.py": "the log",
    "shared_log_file.py": "the log",
    "mcp_server/descriptors.py": "the null device",
    "migration/prompts.py": "the first line of a file in a folder that the user names",
    "disk.py": "files beside the replica",
    "cli/editor.py": "a file of the person's own, for the editor",
    "client/circuit.py": "a mark beside the replica",
    "settings/registry.py": "what stands beside the replicas",
}
FOLDERS_OF_OTHER_FILES = ("replica",)
"""The replica and what stands beside it."""


def _calls(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            found.add(function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
    return found


def _modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def test_no_other_module_opens_files() -> None:
    openers = set()
    for path in _modules():
        name = path.relative_to(ROOT).as_posix()
        if name.split("/")[0] not in FOLDERS_OF_OTHER_FILES and _calls(path) & OPENING:
            openers.add(name)
    assert openers <= OPEN_OTHER_FILES.keys(), "a file of a checkout is read and written by localfirst.checkout"


@pytest.mark.parametrize("text", ['"git"', "'git'"])
def test_no_other_module_starts_git(text: str) -> None:
    starters = {
        path.relative_to(ROOT).as_posix()
        for path in _modules()
        if _calls(path) & {"Popen", "run", "check_output"} and text in path.read_text(encoding="utf-8")
    }
    assert starters <= {"git/runner.py"}


def test_nobody_uses_what_opens_repositories_by_itself() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in _modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "git" and not node.level)
        or (isinstance(node, ast.Import) and any(one.name.split(".")[0] == "git" for one in node.names))
    }
    assert users == {"git/configuration.py"}
