"""Claims and lists that are sets, as the server decides two changes of one that know nothing of each other."""

from __future__ import annotations

from typing import Any

import pytest
from localfirst_schema.entities import WORK_ITEM, WORK_ITEM_CLAIM
from localfirst_schema.wire import Fields, Mutation, Row, encode_json
from localfirst_sync.decision import decide, rebase

SOON, LATER, LAST = (f"2026-01-02T0{hour}:00:00.000000Z" for hour in (3, 4, 5))
FREE: tuple[str | None, str | None] = (None, None)
ANN, BOB = ("ann", SOON), ("bob", LATER)


def lease(by: str | None, until: str | None, **more: Any) -> Row:
    row: Row = dict.fromkeys(WORK_ITEM_CLAIM.column_names)
    return row | {"id": "c", "work_item_id": "w", "claimed_by": by, "claimed_until": until, "version": 5} | more


def taking(old: tuple[str | None, str | None], new: tuple[str | None, str | None]) -> Fields:
    names = ("claimed_by", "claimed_until")
    return {name: {"old": was, "new": now} for name, was, now in zip(names, old, new, strict=True)}


def mutation(fields: Fields, base_version: int = 4) -> Mutation:
    return Mutation(1, 1, "work_item_claim", "c", base_version, base_version + 1, "me", LAST, encode_json(fields))


@pytest.mark.parametrize(
    ("old", "new", "theirs", "outcome", "stands"),
    [
        pytest.param(FREE, ANN, FREE, "merged", ANN, id="takes what is free"),
        pytest.param(FREE, ANN, BOB, "lost", BOB, id="takes what another has taken"),
        pytest.param(BOB, ANN, BOB, "merged", ANN, id="takes over what has ended"),
        pytest.param(("bob", SOON), ANN, BOB, "lost", BOB, id="takes over what was renewed meanwhile"),
        pytest.param(BOB, ANN, FREE, "merged", ANN, id="takes over what was given back meanwhile"),
        pytest.param(ANN, ("ann", LAST), ("ann", LATER), "merged", ("ann", LAST), id="renewals cross"),
        pytest.param(ANN, ("ann", LATER), ("ann", LAST), "merged", ("ann", LAST), id="renewals cross, the shorter later"),
        pytest.param(ANN, ("ann", LAST), BOB, "lost", BOB, id="renews what another has taken over"),
        pytest.param(ANN, ("ann", LAST), FREE, "lost", FREE, id="renews what was taken away"),
        pytest.param(ANN, FREE, ("ann", LAST), "merged", FREE, id="gives back what was renewed"),
        pytest.param(ANN, FREE, BOB, "lost", BOB, id="gives back what another has"),
        pytest.param(ANN, FREE, FREE, "merged", FREE, id="gives back what is free"),
    ],
)
def test_a_lease_is_won_or_lost(old: Any, new: Any, theirs: Any, outcome: str, stands: Any) -> None:
    fields = taking(old, new)
    decision = decide(WORK_ITEM_CLAIM, mutation(fields), fields, lease(*theirs))
    assert decision.row is not None
    assert (decision.outcome, not decision.clashes) == (outcome, True)
    assert (decision.row["claimed_by"], decision.row["claimed_until"]) == stands
    assert decision.row["version"] == 6
    displayed = rebase(WORK_ITEM_CLAIM, [(mutation(fields), fields)], lease(*theirs))
    assert (displayed["claimed_by"], displayed["claimed_until"]) == stands, "what will be lost is not displayed as held"


def test_a_claim_of_what_is_not_there_or_was_deleted_by_sql_is_lost() -> None:
    fields = taking(ANN, ("ann", LAST))
    assert decide(WORK_ITEM_CLAIM, mutation(fields), fields, None).outcome == "lost"
    assert decide(WORK_ITEM_CLAIM, mutation(fields), fields, lease(*ANN, deleted_at=SOON)).outcome == "lost"


def document(**keys: Any) -> Row:
    row: Row = dict.fromkeys(WORK_ITEM.column_names)
    return row | {"id": "w", "title": "t", "version": 5, "metadata": encode_json(keys)}


@pytest.mark.parametrize(
    ("key", "base", "mine", "theirs", "stands"),
    [
        ("labels", ["a", "b"], ["b", "c"], ["a", "b", "d"], ["b", "c", "d"]),
        ("labels", ["a"], ["a", "x"], [], ["x"]),
        ("labels", [], ["a"], ["a"], ["a"]),
        (
            "acceptance",
            [{"text": "a", "done": False}, {"text": "b", "done": False}],
            [{"text": "a", "done": True}, {"text": "c", "done": False}],
            [{"text": "b", "done": True}, {"text": "a", "done": False}, {"text": "d", "done": False}],
            [{"text": "a", "done": True}, {"text": "d", "done": False}, {"text": "c", "done": False}],
        ),
    ],
)
def test_lists_that_are_sets_merge_element_by_element(key: str, base: Any, mine: Any, theirs: Any, stands: Any) -> None:
    fields: Fields = {"metadata": {"old": {key: base}, "new": {key: mine}}}
    change = Mutation(1, 1, "work_item", "w", 4, 5, "me", LAST, encode_json(fields))
    decision = decide(WORK_ITEM, change, fields, document(**{key: theirs}))
    assert decision.row is not None
    assert (decision.outcome, decision.row["metadata"]) == ("merged", encode_json({key: stands}))


def test_what_is_no_list_of_labels_clashes_like_any_value() -> None:
    fields: Fields = {"metadata": {"old": {"labels": ["a"]}, "new": {"labels": ["b"]}}}
    change = Mutation(1, 1, "work_item", "w", 4, 5, "me", LAST, encode_json(fields))
    assert decide(WORK_ITEM, change, fields, document(labels="a, b")).outcome == "conflict"
