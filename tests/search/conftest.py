"""A fresh board, and a second look at the same file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localfirst.client.session import Session
from search.board import Board

Open = Callable[[], Board]


@pytest.fixture
def open_board(tmp_path: Path) -> Iterator[Open]:
    """Opens boards on one file; all are closed with the test."""
    sessions: list[Session] = []

    def opened() -> Board:
        board = Board(tmp_path)
        sessions.append(board.session)
        return board

    yield opened
    for session in sessions:
        session.close()


@pytest.fixture
def board(open_board: Open) -> Board:
    return open_board()
