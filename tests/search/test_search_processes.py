"""Several processes search, write and embed at once: nothing is lost, nothing is written twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from localfirst.search import vector_store
from search.board import Board

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from search.board import Board
board, name = Board(Path(sys.argv[2])), sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    item = board.add(f"Payment parser {name} {number}")
    if number % 3 == 2:
        board.change(item, title=f"Ledger report {name} {number}")
    assert board.found("payment parser")
board.session.close()
"""


def test_three_processes_write_and_search_at_once(tmp_path: Path) -> None:
    board = Board(tmp_path)
    arguments = [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[1]), str(tmp_path)]
    running = [
        subprocess.Popen([*arguments, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two", "three")
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        _, errors = process.communicate("go\n", timeout=120)
        assert process.returncode == 0, errors
        assert errors == ""
    assert vector_store.is_consistent(board.replica)
    board.titles("payment parser")
    assert vector_store.pending(board.replica) == 0
    assert vector_store.is_consistent(board.replica)
    assert board.replica.execute("SELECT count(*) FROM work_item_vectors").get == 180
    board.session.close()
