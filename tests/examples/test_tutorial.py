"""Every command of the tutorial does what the page says, in the order of the page."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"


def test_the_tutorial_works_as_written(tmp_path: Path) -> None:
    commands = re.findall(r"(?m)^\$ localfirst (.+)$", TUTORIAL.read_text())
    assert len(commands) > 10
    home = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("DATA", "STATE", "CACHE", "CONFIG")}
    environment = os.environ | home | {"HOME": str(tmp_path), "LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3")}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "localfirst", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    refs: dict[str, str] = {}

    def ref_of(title: re.Match[str]) -> str:
        return refs[title[1]]

    for command in commands:
        out = run(*shlex.split(re.sub(r"\{(.+?)\}", ref_of, command)))
        if command.startswith("add "):
            refs |= {item["title"]: item["ref"] for item in json.loads(run("item", "list", "--json"))["items"]}
        if command.startswith("done "):
            assert "Now ready:" in out
    item = json.loads(run("show", refs["Write the parser"], "--json"))
    assert item["status"] == "active", "the completion was undone"
