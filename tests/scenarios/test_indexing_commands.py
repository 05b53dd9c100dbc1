"""`localfirst index` and `localfirst jobs`, as a person types them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.shell import PROGRAM, Shell
from code_index.workers import no_worker_left, repository
from waiting import until


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    with no_worker_left(shell.replica):
        yield shell


def newest(shell: Shell) -> Any:
    return shell.json("jobs", "--json")["jobs"][0]


def test_a_repository_is_indexed_and_the_command_says_what_was_done(shell: Shell, tmp_path: Path) -> None:
    root = repository(tmp_path / "code", files=10)
    first = shell.ok("index", str(root), "--name", "the code")
    assert "10 files indexed" in first.out
    assert first.err == ""
    (root / "picture.png").write_bytes(b"\0")
    again = shell.json("index", str(root), "--json")
    assert again["status"] == "completed"
    assert (again["files_unchanged"], again["files_skipped"]) == (10, 1)
    forced = shell.json("index", str(root), "--force", "--json")
    assert forced["files_indexed"] == 10


def test_a_relative_path_is_that_of_the_shell(shell: Shell) -> None:
    repository(shell.project / "below", files=2)
    assert shell.json("index", "below", "--json")["repo_path"] == str(shell.project / "below")


def test_what_a_rule_left_out_is_named(shell: Shell, tmp_path: Path) -> None:
    root = repository(tmp_path / "code", files=2)
    (root / "packed.js").write_text("var a=1;" * 2_000)
    (root / "picture.png").write_bytes(b"\0")
    shell.ok("index", str(root))
    job_id = newest(shell)["job_id"]
    asked = shell.json("jobs", "show", job_id, "--skipped", "minified", "--json")
    assert [(one["file_path"], one["rule"]) for one in asked["skipped_files"]] == [("packed.js", "minified")]
    assert "packed.js" in shell.ok("jobs", "show", job_id, "--skipped", "minified").out
    assert shell.json("jobs", "show", job_id, "--json")["skipped_files"] == []
    wrong = shell.run("jobs", "show", job_id, "--skipped", "ugly")
    assert "minified" in wrong.err


def test_a_wrong_path_is_reported_in_a_sentence(shell: Shell) -> None:
    missing = shell.run("index", "nowhere")
    assert missing.status == 1
    assert "does not exist" in missing.err
    assert shell.run("index", "nowhere", "--json").json["details"]["field"] == "repo_path"


def test_a_job_in_the_background_can_be_followed_and_cancelled(shell: Shell, tmp_path: Path) -> None:
    root = repository(tmp_path / "code", files=5000)
    started = shell.ok("index", str(root), "--background")
    job = newest(shell)
    assert job["job_id"] in started.out
    assert f"localfirst jobs cancel {job['job_id'][:8]}" in started.err

    until(lambda: newest(shell)["files_indexed"] > 0, 60, "a job at work")
    displayed = shell.ok("jobs", "show", job["job_id"][:8])
    assert job["job_id"] in displayed.out
    assert "running" in displayed.out
    assert job["job_id"][:8] in shell.ok("jobs").out

    cancelled = shell.ok("jobs", "cancel", job["job_id"][:8])
    assert "cancelled" in cancelled.out
    assert shell.json("jobs", "list", "--status", "cancelled", "--json")["total_count"] == 1
    events = shell.json("jobs", "show", job["job_id"], "--json")["events"]
    assert [one["event"] for one in events] == ["created", "running", "cancelled"]
    again = shell.run("jobs", "cancel", job["job_id"])
    assert again.status == 1
    assert "already" in again.err


def test_a_job_that_nobody_knows_is_reported_in_a_sentence(shell: Shell) -> None:
    assert "no indexing jobs" in shell.ok("jobs").out
    assert shell.json("jobs", "--json")["jobs"] == []
    assert "begins with" in shell.run("jobs", "show", "abcdef12").err
    assert "first 6" in shell.run("jobs", "show", "??").err


class Terminal:
    """The command on a terminal, which can be typed at and read."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=shell.project,
            env=shell.environment() | {"TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored under nohup, and inherited
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, words: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert words in self.seen, self.seen

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        status = self.process.wait(60)
        os.close(self.master)
        return status


def test_a_terminal_shows_a_bar_and_the_pace(shell: Shell, tmp_path: Path) -> None:
    terminal = Terminal(shell, "index", str(repository(tmp_path / "code", files=6000, functions=12)))
    terminal.read_until("Chunking")
    terminal.read_until("files/s")
    terminal.read_until("left")
    terminal.read_until("6000 files indexed", 120)
    assert terminal.end() == 0


def test_ctrl_c_leaves_the_job_at_work(shell: Shell, tmp_path: Path) -> None:
    terminal = Terminal(shell, "index", str(repository(tmp_path / "code", files=6000, functions=12)))
    terminal.read_until("Chunking")
    terminal.interrupt()
    terminal.read_until("goes on in the background")
    terminal.read_until("jobs show")
    assert terminal.end() == 0
    until(lambda: newest(shell)["status"] == "completed", 90, "the end of the job")


def test_ctrl_c_twice_cancels_it(shell: Shell, tmp_path: Path) -> None:
    terminal = Terminal(shell, "index", str(repository(tmp_path / "code", files=6000, functions=12)))
    terminal.read_until("Chunking")
    terminal.interrupt()
    terminal.read_until("once more")
    terminal.interrupt()
    terminal.read_until("cancelled")
    assert terminal.end() == 130
    assert newest(shell)["status"] == "cancelled"
