"""The log that all processes of a user write."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from localfirst.shared_log_file import SharedLogFile

PROCESSES = 8
LINES = 2_000

WRITE = """
import logging, sys
from pathlib import Path
from localfirst.shared_log_file import SharedLogFile
path, name, lines = sys.argv[1:]
handler = SharedLogFile(Path(path), 200_000, 20)
logger = logging.getLogger("test")
logger.addHandler(handler)
logger.propagate = False
sys.stdin.read()
for number in range(int(lines)):
    logger.warning("%s says %d: %s", name, number, "x" * 60)
"""


def test_of_several_processes_no_line_is_lost_or_torn(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "the.log"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(path), f"p{number}", str(LINES)], stdin=subprocess.PIPE)
        for number in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()  # all begin at once
    assert [process.wait(120) for process in processes] == [0] * PROCESSES
    files = [one for one in path.parent.iterdir() if one.name != "the.log.lock"]
    assert len(files) > 3
    found = [line for one in files for line in one.read_text().splitlines()]
    wanted = {f"p{who} says {number}: {'x' * 60}" for who in range(PROCESSES) for number in range(LINES)}
    assert len(found) == len(wanted)
    assert set(found) == wanted
    assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def logged(handler: SharedLogFile, message: str) -> None:
    handler.handle(logging.LogRecord("test", logging.INFO, __file__, 1, message, None, None))


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    handler = SharedLogFile(tmp_path / "the.log", 10, 2)
    for number in range(5):
        logged(handler, f"line number {number}")
    handler.close()
    kept = {one.name: one.read_text() for one in tmp_path.iterdir() if one.name != "the.log.lock"}
    assert kept == {"the.log.1": "line number 4\n", "the.log.2": "line number 3\n"}


def test_a_log_that_is_taken_away_is_begun_again(tmp_path: Path) -> None:
    handler = SharedLogFile(tmp_path / "the.log", 1_000, 2)
    logged(handler, "one")
    (tmp_path / "the.log").unlink()
    logged(handler, "a lone \udc80 surrogate")
    handler.close()
    assert (tmp_path / "the.log").read_text() == "a lone \\udc80 surrogate\n"
