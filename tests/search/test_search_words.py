"""Work items are found by their words, whoever writes the query and however."""

from __future__ import annotations

import pytest

from localfirst.replica import fulltext
from search.board import Board

OTHERS = ("Translate the user interface", "Measure test coverage", "Choose a message broker")


def test_an_item_is_found_by_a_word_of_its_title_and_of_its_metadata(board: Board) -> None:
    board.add_all(*OTHERS)
    board.add("Rewrite the importer", note="The manifest of the supplier is broken")
    assert board.titles("importer")[0] == "Rewrite the importer"
    assert board.titles("manifest")[0] == "Rewrite the importer"


def test_words_are_found_in_other_forms_without_case_and_accents(board: Board) -> None:
    board.add_all(*OTHERS, "Retrying webhooks", "Café in Zürich")
    assert board.titles("RETRY webhook")[0] == "Retrying webhooks"
    assert board.titles("cafe zurich")[0] == "Café in Zürich"
    assert board.titles("cafe\u0301")[0] == "Café in Zürich"


def test_the_beginning_of_a_word_is_enough_where_no_item_has_it_as_a_word(board: Board) -> None:
    board.add_all(*OTHERS, "Authentication of partners")
    assert board.titles("authe")[0] == "Authentication of partners"


def test_a_word_in_the_title_ranks_above_one_in_the_text(board: Board) -> None:
    board.add("Ledger export")
    board.add("Quarterly numbers", note="Taken from the ledger")
    assert board.titles("ledger")[:2] == ["Ledger export", "Quarterly numbers"]


def test_an_item_that_holds_all_words_ranks_above_those_that_hold_one(board: Board) -> None:
    board.add_all("Payment of invoices", "Parser for dates", "Payment parser", "Parser for times")
    assert board.titles("payment parser")[0] == "Payment parser"


def test_a_word_ranks_above_a_similar_meaning(board: Board) -> None:
    board.add("Login takes too long")
    board.add("Quarterly plan", note="Somebody mentions authentication here")
    assert board.titles("authentication")[0] == "Quarterly plan"


def test_a_whole_title_comes_first_with_the_highest_score(board: Board) -> None:
    board.add_all("Fix the parser of the parser", "Fix the parser", "Fix the parser again")
    best = board.found("fix the parser")[0]
    assert (best["title"], best["score"]) == ("Fix the parser", 1.0)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_scores_mean_the_same_in_small_projects_and_in_larger_ones(board: Board, count: int) -> None:
    board.add("Deadlock while importing")
    board.add_all(*(f"Ticket number {n} about shipping" for n in range(count - 1)))
    best = board.found("deadlock")[0]
    assert best["title"] == "Deadlock while importing"
    assert 0.8 < best["score"] <= 1


def test_scores_lie_between_0_and_1_and_fall(board: Board) -> None:
    board.add_all(*OTHERS, "Message broker", "Broker for messages", "User test")
    scores = [item["score"] for item in board.found("test the message broker")]
    assert len(scores) > 2
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_an_id_or_its_beginning_finds_its_item_first(board: Board) -> None:
    item = board.add("Something unremarkable")
    board.add(f"Mentions {item['id']} and {item['id'][:8]}")
    for query in (item["id"], item["id"].upper(), item["id"][:8], item["id"][:15], item["id"].replace("-", "")):
        assert board.titles(query)[0] == "Something unremarkable"


def test_deleted_and_archived_items_are_not_found(board: Board) -> None:
    deleted, archived = board.add("Payment parser one"), board.add("Payment parser two")
    board.add("Payment parser three")
    board.change(deleted, deleted=True)
    with board.session.act() as act:
        act.connection.execute("UPDATE work_items SET archived_at = created_at WHERE id = ?", (archived["id"],))
    assert board.titles("payment parser") == ["Payment parser three"]
    assert deleted["id"] not in [item["id"] for item in board.found(deleted["id"])]
    restored = board.call("query_work_item", id=deleted["id"])
    board.change(restored, deleted=False)
    assert set(board.titles("payment parser")) == {"Payment parser one", "Payment parser three"}


def test_many_deleted_items_do_not_crowd_out_a_live_one(board: Board) -> None:
    board.add("Payment parser", note="a long text that makes this one rank lower than the others, if only by a little")
    for number in range(250):
        board.add(f"Payment parser {number}")
    board.replica.execute("UPDATE work_items SET deleted_at = created_at WHERE title <> 'Payment parser'")
    assert board.titles("payment parser now") == ["Payment parser"]


def test_no_more_than_the_limit_are_found(board: Board) -> None:
    board.add_all(*(f"Parser {n}" for n in range(30)))
    assert len(board.found("parser", limit=7)) == 7


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"parser" OR',
        "parser AND NOT (",
        "title: parser",
        "parser* NEAR(a b, 2) ^x {title}",
        "'; DROP TABLE work_items; --",
        "🚀 parser 🚀",
        "🚀🚀",
        "_ __ ___",
        "²³ ½",
        "parser " * 1_400,
        "x" * 10_000,
        "\u0301\u0301",
        "\ufffd\ufeff\u200b",
        "解析器 парсер محلل",
        "-parser",
        "%_",
    ],
)
def test_nothing_in_a_query_is_syntax(board: Board, query: str) -> None:
    board.add_all("Fix the parser", *OTHERS)
    found = board.titles(query)
    assert "Fix the parser" in found or "parser" not in query


def test_a_query_with_nul_reaches_no_further_than_the_words_around_it(board: Board) -> None:
    from localfirst.search.work_items import ItemEngine

    board.add("Fix the parser")
    assert [found.row["title"] for found in ItemEngine().find(board.replica, "par\0ser parser", 5)] == ["Fix the parser"]


def test_the_text_rows_agree_with_the_items_after_changes(board: Board) -> None:
    item = board.add("First title", note="old words")
    board.change(item, title="Second title", metadata={"note": "new words"})
    assert board.titles("second")
    assert "Second title" not in board.titles("old")
    assert fulltext.is_consistent(board.replica)
