"""Ignore patterns mean what they mean to git, and take no longer than their length times that of the path."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from localfirst.code_index.scan.ignore import IgnoreFiles, Patterns

EXPLODING = [
    ("*a" * 12 + "b", "a" * 230),
    ("*a" * 100 + "*b", "a" * 250),
    ("?*" * 60 + "b", "a" * 250),
    ("**/a" * 20 + "/b", "a/" * 120 + "c"),
    ("**/*a*/" * 12 + "b", "aaaa/" * 50 + "c"),
    ("/" + "**/a/**/a*a/" * 8 + "x", "a/aaa/" * 40 + "y"),
    ("[a-z]*" * 60 + "0", "a" * 250),
    ("*[!b]" * 40 + "b", "a" * 250),
    ("a" + "*" * 4000 + "b", "a" * 4000),
    ("**/" * 1000 + "b", "a/" * 1000 + "c"),
]


@pytest.mark.parametrize(("pattern", "path"), EXPLODING, ids=lambda text: text[:12])
def test_no_pattern_explodes(pattern: str, path: str) -> None:
    patterns = Patterns(pattern.encode())
    best = min(_seconds(patterns, path) for _ in range(3))
    assert best < 0.0005 + 2e-7 * len(pattern) * len(path)


def _seconds(patterns: Patterns, path: str) -> float:
    began = time.perf_counter()
    assert patterns.ignores(path) is None
    return time.perf_counter() - began


def test_time_grows_with_the_path_and_the_pattern_and_no_faster() -> None:
    patterns = Patterns(("*a" * 30 + "b").encode())
    short = min(_seconds(patterns, "a" * 2_000) for _ in range(5))
    long = min(_seconds(patterns, "a" * 32_000) for _ in range(5))
    assert long < 16 * 6 * max(short, 1e-5)


def _git_ignores(root: Path, paths: list[str]) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    found = subprocess.run(
        ["git", "-C", root, "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(paths).encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
        env=environment | {"GIT_CONFIG_GLOBAL": os.devnull},
    )
    assert found.returncode in (0, 1), found.stderr
    return set(os.fsdecode(found.stdout).split("\0")[:-1])


NAMES = ["a", "b", "ab", "aab", "a.py", "build", "foo", "foobar", "a b", "a ", "x[1]", "é", "!a", "#a", "a\\", "A", "a-b", "]"]
ATOMS = [
    *"abx.-!^]é", "*", "*", "?", "**", "**/", "/**", "/**/", "/", "/", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[!]a]", "[a-]",
    "[[:alpha:]]", "[[:digit:]x]", "[[:nope:]]", "[", "[a", "[\\]]", "[a\\-c]", "[[:", "[[:a]", "\\", "\\*", "\\a", "\\/",
    "\\ ", " ", "#", "foo", "bar", "build", ".py", "***", "a", "b",
]  # fmt: skip


def _pattern(chance: random.Random) -> str:
    return (
        chance.choice(["", "", "", "!", "/", "\\!", "\\#"])
        + "".join(chance.choices(ATOMS, k=chance.randint(1, 5)))
        + (chance.choice(["", "", "", "/", " ", "  ", "\r"]))
    )


@pytest.mark.parametrize("seed", range(60))
def test_generated_patterns_ignore_what_git_ignores(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    files: list[str] = []
    for _ in range(60):
        parts = chance.choices(NAMES, k=chance.randint(1, 4))
        place = tmp_path.joinpath(*parts)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if chance.random() < 0.3:
                place.mkdir(exist_ok=True)
            else:
                place.write_text("x")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
    for base, folders, names in os.walk(tmp_path):
        folders[:] = [name for name in folders if name != ".git"]
        files += [os.path.relpath(f"{base}/{name}", tmp_path) for name in [*names, *folders]]
    for _ in range(25):
        for ignoring in tmp_path.rglob(".gitignore"):
            ignoring.unlink()
        lines = {tmp_path: [_pattern(chance) for _ in range(chance.randint(1, 4))]}
        inner = tmp_path / chance.choice(files)
        if inner.is_dir() and chance.random() < 0.5:
            lines[inner] = [_pattern(chance) for _ in range(chance.randint(1, 2))]
        for folder, patterns in lines.items():
            (folder / ".gitignore").write_bytes("\n".join(patterns).encode())
        ignored = IgnoreFiles(tmp_path, (".gitignore",))
        ours = {
            path
            for path in files
            if (ignored.ignores_directory(path) if (tmp_path / path).is_dir() else ignored.ignores_file(path))
        }
        assert ours == _git_ignores(tmp_path, files), lines


@pytest.mark.parametrize("how", ["pipe", "link out", "huge"])
def test_an_ignore_file_that_is_none_says_nothing_and_is_not_waited_for(tmp_path: Path, how: str) -> None:
    (root := tmp_path / "root").mkdir()
    place = root / ".localfirstignore"
    if how == "pipe":
        os.mkfifo(place)
    elif how == "link out":
        (tmp_path / "outside").write_text("*\n")
        place.symlink_to("../outside")
    else:
        place.write_bytes(b"*.py\n" * 12_000_000)
    assert not IgnoreFiles(root, (".localfirstignore",)).ignores_file("a.py")
