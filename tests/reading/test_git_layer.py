"""The git history as a layer: deployments from merge commits beside the committed status file, on any repository."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from localfirst.fallback.git_history import read_history
from localfirst.fallback.merge_commits import merged_changes
from reading.world import STATUS_FILE, Reader, World, git

MERGES = (
    ("Merge pull request #12 from ann/parser\n\nMend the parser", 12, "Mend the parser"),
    ("Speed up the reader (#13)\n\n* one\n* two", 13, "Speed up the reader"),
    (
        "Merge branch 'ledger' into 'main'\n\nA ledger of its own\n\nSee merge request group/project!14",
        14,
        "A ledger of its own",
    ),
    ("Merge pull request #15 from ann/empty", 15, "Merge pull request #15 from ann/empty"),
    (f"{'x' * 300} (#16)", 16, f"{'x' * 199}…"),
)


def commit(folder: Path, message: str, day: int = 1) -> str:
    when = f"2025-10-{day:02d}T12:00:00Z"
    git(folder, "commit", "-q", "--allow-empty", "-m", message, GIT_COMMITTER_DATE=when, GIT_AUTHOR_DATE=when)
    return git(folder, "rev-parse", "HEAD").strip()


def test_merge_commits_are_deployments(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("git",))
    hashes = {number: commit(settings.root, message, number) for message, number, _ in MERGES}
    commit(settings.root, "Nothing of the sort (see #99)", 20)
    commit(settings.root, "Merge branch 'main' of example.org:x/y", 21)
    with Reader(world, settings) as reader:
        listed = reader.ask("list_deployments")
        assert listed["data_source"] == "git_history"
        found = {one["pr_number"]: one for one in listed["items"]}
        assert set(found) == {7, *hashes}, "those of the status file, and the merged ones"
        for _, number, title in MERGES:
            one = found[number]
            assert (one["pr_title"], one["commit_hash"]) == (title, hashes[number])
            assert one["timestamp"] == f"2025-10-{number:02d}T12:00:00.000000Z"
            assert reader.ask("query_deployment", id=one["id"])["pr_number"] == number
        recent = reader.ask("generate_full_status")["recent_deployments"]
        assert [one["pr_number"] for one in recent][:2] == [7, 16]


def test_a_deployment_that_the_file_tells_of_is_not_reported_twice(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("git",))
    commit(settings.root, "The parser, again (#7)")
    with Reader(world, settings) as reader:
        assert [one["pr_title"] for one in reader.ask("list_deployments")["items"]] == ["The parser"]


def test_a_repository_without_a_status_file_has_deployments_alone(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ())
    git(settings.root, "init", "-q")
    commit(settings.root, "Begin (#1)")
    with Reader(world, settings) as reader:
        listed = reader.ask("list_deployments", detail="full")
        assert [one["pr_number"] for one in listed["items"]] == [1]
        assert (listed["data_source"], listed["items"][0]["created_by"]) == ("git_history", "Ann")
        assert reader.ask("list_vendors")["items"] == []


def test_a_new_commit_is_seen(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("git",))
    with Reader(world, settings) as reader:
        assert reader.ask("list_deployments")["total_count"] == 1
        commit(settings.root, "Later (#30)")
        assert reader.ask("list_deployments")["total_count"] == 2


@pytest.mark.parametrize(
    "log",
    ["", "\x1e", "no hash\x1f1\x1fAnn\x1fx (#1)\x1e", "a" * 40 + "\x1fsoon\x1fAnn\x1fx (#1)\x1e", "a" * 40 + "\x1f1\x1fAnn"],
)
def test_a_log_that_is_none_gives_nothing(log: str) -> None:
    assert list(merged_changes(log)) == []


def test_messages_may_hold_anything() -> None:
    log = "".join(
        f"{n:040x}\x1f{n}\x1f\x1f{text}\x1e" for n, text in enumerate(("\udc80 (#1)", "(#2)", "x (#0)", "x (#3)\n\x1f\x1f"), 1)
    )
    assert [(one.pr_number, one.pr_title) for one in merged_changes(log)] == [(1, "?"), (3, "x")]


def test_a_history_of_many_commits_is_read_in_time(world: World, tmp_path: Path) -> None:
    """One whose status file was committed first, so that all of it has to be walked through."""
    settings = world.place(tmp_path / "place", ("git",))
    count = 6_000
    stream = ["reset refs/heads/main\nfrom refs/heads/main^0\n"]
    for number in range(count):
        message = f"Merge pull request #{number} from a/b\n\nTitle {number}" if number % 50 == 49 else f"Change {number}"
        body = f"{number}\n"
        stream.append(
            f"commit refs/heads/main\ncommitter Ann <ann@example.org> {1_700_000_000 + number} +0000\n"
            f"data {len(message)}\n{message}\nM 644 inline src/file{number % 97}.txt\ndata {len(body)}\n{body}\n"
        )
    subprocess.run(["git", "-C", settings.root, "fast-import", "--quiet"], input="".join(stream).encode(), check=True)
    began = time.monotonic()
    history = read_history(settings.root, settings.markdown)
    assert time.monotonic() - began < 5
    assert history is not None
    assert history.text == world.text
    assert len(history.merges) == count // 50
    assert history.merges[0].pr_number == count - 1
    with Reader(world, settings) as reader:
        assert reader.ask("query_vendor_status", name="Alder")["data_source"] == "git_history"


def test_a_git_that_does_not_end_is_not_waited_for(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = world.place(tmp_path / "place", ("git", "markdown"))
    (tmp_path / "slow").mkdir()
    slow = tmp_path / "slow" / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    began = time.monotonic()
    with Reader(world, settings) as reader:
        assert reader.ask("list_vendors")["data_source"] == "markdown_file"
        assert reader.ask("list_vendors")["total_count"] == 2
    assert time.monotonic() - began < 20


def test_a_status_file_outside_the_repository_is_not_gits(world: World, tmp_path: Path) -> None:
    settings = world.place(tmp_path / "place", ("git",))
    assert read_history(settings.root, tmp_path / STATUS_FILE) is None
