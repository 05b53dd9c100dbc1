"""Work items are found by what they are about, without a network, and their vectors follow their text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from localfirst.embedding.provider import EmbeddingProvider, EmbeddingUnavailableError
from localfirst.embedding.static import load, read_files
from localfirst.embedding.words import plain_words
from localfirst.replica.connection import immediate
from localfirst.search import vector_store
from localfirst.search.work_items import WorkItemSearch
from search.board import Board
from search.conftest import Open

if TYPE_CHECKING:
    from localfirst.embedding.provider import Vectors

ITEMS = (
    "Incorrect VAT",
    "Container image is too large",
    "Coupon codes at the till",
    "Compress HTTP responses",
    "Reset of forgotten passwords",
    "Slow website",
    "Translate the user interface into German",
)


class Interrupting(EmbeddingProvider):
    """The built-in provider, with something done by others while it embeds."""

    is_remote = False

    def __init__(self, model: str = "interrupted") -> None:
        self.model_name = model
        self.meanwhile: Callable[[], object] = lambda: None

    @property
    def model(self) -> str:
        return self.model_name

    @property
    def dimensions(self) -> int:
        return 256

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = load().embed(texts)
        self.meanwhile()
        return vectors


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("wrong tax", "Incorrect VAT"),
        ("docker size", "Container image is too large"),
        ("sluggish web page", "Slow website"),
        ("lost login credentials", "Reset of forgotten passwords"),
    ],
)
def test_a_description_in_other_words_finds_the_item(board: Board, query: str, title: str) -> None:
    board.add_all(*ITEMS)
    assert board.titles(query)[0] == title


@pytest.mark.parametrize("query", ["purple elephant banana", "xqzzt vvrkl", "medieval castle siege", "!!!???", "🚀🚀"])
def test_what_is_about_nothing_here_finds_nothing(board: Board, query: str) -> None:
    board.add_all(*ITEMS)
    assert board.titles(query) == []


def test_no_socket_is_opened_and_the_search_still_works(tmp_path: Path) -> None:
    program = f"""
import socket, sys
def refuse(*_):
    raise AssertionError("a socket was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from search.board import Board
board = Board(Path({str(tmp_path)!r}))
board.add_all("Incorrect VAT", "Compress HTTP responses")
assert not {{"numpy", "tokenizers", "wordllama", "sqlite_vec"}} & set(sys.modules), "loaded before the first search"
assert board.titles("wrong tax") == ["Incorrect VAT"]
assert not {{"wordllama", "sqlite_vec"}} & set(sys.modules), "the packages themselves are not needed"
"""
    environment = {"HOME": str(tmp_path), "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_the_model_the_words_still_find(board: Board, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingUnavailableError):
        read_files(tmp_path)
    board.add_all(*ITEMS)
    search = WorkItemSearch(board.replica, None)
    assert search.find(board.replica, "coupon", 5)[0].row["title"] == "Coupon codes at the till"
    assert vector_store.pending(board.replica) == len(ITEMS)


def test_without_the_extension_the_words_still_find(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localfirst.search.extension.find_spec", lambda _: None)
    board.add_all(*ITEMS)
    assert board.titles("coupon") == ["Coupon codes at the till"]
    assert board.replica.pragma("synchronous") == 2


def test_vectors_follow_the_text(board: Board) -> None:
    item = board.add("Compress HTTP responses")
    board.add_all("Translate the user interface")
    assert board.titles("wrong tax") == []
    changed = board.change(item, title="Incorrect VAT")
    assert vector_store.pending(board.replica) == 1
    assert board.titles("wrong tax") == ["Incorrect VAT"]
    board.change(changed, status="completed")
    assert vector_store.pending(board.replica) == 0, "no text was changed"
    assert vector_store.is_consistent(board.replica)


def test_an_item_changed_while_it_is_embedded_stays_queued(open_board: Open) -> None:
    mine, theirs = open_board(), open_board()
    item, provider = mine.add("Compress HTTP responses"), Interrupting()
    mine.add("Coupon codes")
    queued: list[int] = []

    def change_at_first() -> None:
        queued.append(vector_store.pending(theirs.replica))
        if len(queued) == 1:
            theirs.change(item, title="Incorrect VAT")

    provider.meanwhile = change_at_first
    vector_store.bring_up_to_date(mine.replica, provider, 5)
    assert queued == [2, 1], "of the first batch, the changed item was left for a second one"
    assert vector_store.is_consistent(mine.replica)
    embedding = mine.replica.execute("SELECT embedding FROM work_item_vectors WHERE rowid = 1").get
    assert np.frombuffer(embedding, np.float32) @ load().embed(["Incorrect VAT"])[0] > 0.999


def test_an_item_embedded_by_another_process_meanwhile_is_written_once(open_board: Open) -> None:
    mine, theirs = open_board(), open_board()
    mine.add_all(*ITEMS)
    provider, quicker = Interrupting(), Interrupting()
    provider.meanwhile = lambda: vector_store.bring_up_to_date(theirs.replica, quicker, 5)
    vector_store.bring_up_to_date(mine.replica, provider, 5)
    assert vector_store.is_consistent(mine.replica)
    assert mine.replica.execute("SELECT count(DISTINCT generation) FROM work_item_vector_texts").get == 1


def test_another_model_begins_anew(board: Board) -> None:
    board.add_all(*ITEMS)
    board.titles("wrong tax")
    before = vector_store.stored(board.replica)
    vector_store.bring_up_to_date(board.replica, Interrupting("another model"), 0)
    assert vector_store.pending(board.replica) == len(ITEMS)
    vector_store.bring_up_to_date(board.replica, Interrupting("another model"), 5)
    after = vector_store.stored(board.replica)
    assert before is not None
    assert after is not None
    assert after.model == "another model"
    assert after.generation > before.generation
    assert vector_store.is_consistent(board.replica)


def test_a_search_with_the_former_model_never_compares_with_vectors_of_another(board: Board) -> None:
    board.add_all(*ITEMS)
    other = WorkItemSearch(board.replica, Interrupting("another model"))
    assert board.titles("wrong tax") == [ITEMS[0]]
    assert [found.row["title"] for found in other.find(board.replica, "wrong tax", 5)] == [ITEMS[0]]
    with immediate(board.replica):
        board.replica.execute("UPDATE work_item_vector_model SET model = 'a third'")
    assert other.find(board.replica, "wrong tax", 5, catch_up_s=0) == []


def test_what_does_not_fit_into_the_time_is_found_by_its_words_and_embedded_later(board: Board) -> None:
    board.add_all(*(f"Ticket {n}" for n in range(100)), *ITEMS)
    search = WorkItemSearch(board.replica, load())
    assert search.find(board.replica, "coupon", 5, catch_up_s=0)[0].row["title"] == "Coupon codes at the till"
    assert vector_store.pending(board.replica) == 100 + len(ITEMS)
    search.find(board.replica, "coupon", 5, catch_up_s=5)
    assert vector_store.pending(board.replica) == 0


def test_a_writer_elsewhere_does_not_hold_up_a_search(open_board: Open) -> None:
    mine, theirs = open_board(), open_board()
    mine.add_all(*ITEMS)
    mine.titles("coupon")
    mine.add("Incorrect dates")
    with immediate(theirs.replica):
        assert "Incorrect dates" in mine.titles("incorrect")
        assert vector_store.pending(mine.replica) == 1
    mine.titles("incorrect")
    assert vector_store.pending(mine.replica) == 0


def test_vectors_written_by_another_process_are_seen(open_board: Open) -> None:
    mine, theirs = open_board(), open_board()
    mine.add_all(*ITEMS)
    assert mine.titles("holiday planning") == []
    for number in range(100):
        theirs.add(f"Vacation calendar {number}")
    theirs.titles("anything")
    assert vector_store.pending(mine.replica) == 0
    assert mine.titles("holiday planning")[0].startswith("Vacation calendar")


def test_the_vector_of_an_item_that_is_gone_goes_too(board: Board) -> None:
    board.add_all(*ITEMS)
    board.titles("coupon")
    with immediate(board.replica):
        local_id = board.replica.execute("DELETE FROM work_items WHERE title LIKE 'Slow%' RETURNING local_id").get
        assert not vector_store.is_consistent(board.replica)
        board.replica.execute("INSERT INTO work_item_vector_queue VALUES (?)", (local_id,))
        board.replica.execute("DELETE FROM work_items_text WHERE rowid = ?", (local_id,))
    assert board.titles("sluggish web page") == []
    assert board.replica.execute("SELECT count(*) FROM work_item_vectors").get == len(ITEMS) - 1
    assert vector_store.is_consistent(board.replica)


def test_the_check_sees_a_text_without_its_vector(board: Board) -> None:
    board.add_all(*ITEMS)
    board.titles("coupon")
    assert vector_store.is_consistent(board.replica)
    board.replica.execute("UPDATE work_items SET title = 'Not said to anybody' WHERE title LIKE 'Coupon%'")
    assert not vector_store.is_consistent(board.replica)


def test_a_text_that_has_come_back_needs_no_new_vector(board: Board) -> None:
    item = board.change(board.add("Coupon codes"), title="Vouchers")
    board.titles("coupon")
    before = board.replica.execute("SELECT generation FROM work_item_vector_texts").get
    board.change(board.change(item, title="Something else"), title="Vouchers")
    board.titles("coupon")
    assert vector_store.pending(board.replica) == 0
    assert board.replica.execute("SELECT generation FROM work_item_vector_texts").get == before


def test_vectors_have_length_1_and_texts_without_words_have_none() -> None:
    vectors = load().embed(["parse the header", "", "!?", "parseTheHeader"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 256)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=1e-6)


def test_identifiers_are_taken_apart() -> None:
    assert plain_words("parseHTTPHeader, last_line  Café") == "parse http header last line cafe"
