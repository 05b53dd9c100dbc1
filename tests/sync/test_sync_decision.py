"""The decision table, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.wire import Fields, Mutation, Row, encode_json
from localfirst_sync.conflict import Draft, joined, record
from localfirst_sync.decision import decide, rebase, refused
from localfirst_sync.displayed_versions import nothing, replayed
from localfirst_sync.ports import Line

AT = "2026-01-02T03:04:05.000006Z"
LATER = "2026-02-02T03:04:05.000006Z"


def row(**values: Any) -> Row:
    found: Row = dict.fromkeys(WORK_ITEM.column_names)
    return (
        found | {"id": "i", "item_type": "task", "title": "base", "status": "active", "metadata": "{}", "version": 5} | values
    )


def decided(base_version: int, fields: Fields, current: Row | None, version: int | None = None) -> tuple[Any, ...]:
    mutation = Mutation(1, 1, "work_item", "i", base_version, version or base_version + 1, "me", AT, "")
    before = None if current is None else dict(current)
    decision = decide(WORK_ITEM, mutation, fields, current)
    assert current == before, "the arguments are not changed"
    return decision.outcome, decision.reason, decision.row


def change(**values: tuple[Any, Any]) -> Fields:
    return {name: {"old": old, "new": new} for name, (old, new) in values.items()}


CREATION = change(item_type=(None, "task"), title=(None, "base"), status=(None, "active"), metadata=(None, {}))
DELETION = change(deleted_at=(None, AT))
DELETION_AGAIN = change(deleted_at=(AT, LATER))
UNDELETION = change(deleted_at=(AT, None))
TITLE = change(title=("base", "mine"))


@pytest.mark.parametrize(
    ("base_version", "fields", "current", "outcome", "reason", "version"),
    [
        pytest.param(0, CREATION, None, "accepted", None, 1, id="absent, creates"),
        pytest.param(3, TITLE, None, "conflict", "missing", None, id="absent, updates"),
        pytest.param(3, DELETION, None, "conflict", "missing", None, id="absent, deletes"),
        pytest.param(0, CREATION, row(deleted_at=AT), "merged", None, 6, id="deleted, creates"),
        pytest.param(4, TITLE | DELETION, row(deleted_at=AT), "conflict", "deleted", 6, id="deleted, deletes and more"),
        pytest.param(
            5, TITLE | DELETION_AGAIN, row(deleted_at=AT), "accepted", None, 6, id="deleted, deletes and more in step"
        ),
        pytest.param(5, UNDELETION, row(deleted_at=AT), "accepted", None, 6, id="deleted, undeletes in step"),
        pytest.param(4, UNDELETION, row(deleted_at=AT), "conflict", "deleted", 6, id="deleted, undeletes out of step"),
        pytest.param(4, DELETION, row(deleted_at=LATER), "merged", None, 6, id="deleted, deletes"),
        pytest.param(4, TITLE, row(deleted_at=AT), "conflict", "deleted", 6, id="deleted, updates"),
        pytest.param(5, TITLE, row(), "accepted", None, 6, id="alive, in step"),
        pytest.param(0, CREATION, row(), "merged", None, 6, id="alive, creates an equal row"),
        pytest.param(0, CREATION, row(title="other"), "conflict", "fields", 6, id="alive, creates another row"),
        pytest.param(4, DELETION, row(), "conflict", "changed", 6, id="alive, deletes what changed"),
        pytest.param(5, DELETION, row(), "accepted", None, 6, id="alive, deletes in step"),
        pytest.param(4, change(claimed_by=(None, "me")), row(claimed_by="you"), "lost", "claimed", 6, id="alive, claim taken"),
        pytest.param(4, change(claimed_by=(None, "me")), row(), "merged", None, 6, id="alive, claim free"),
        pytest.param(4, TITLE, row(status="blocked"), "merged", None, 6, id="alive, other fields"),
        pytest.param(4, TITLE, row(title="mine"), "merged", None, 6, id="alive, set alike"),
        pytest.param(4, TITLE, row(title="theirs"), "conflict", "fields", 6, id="alive, set differently"),
        # A server that was set back may give a version once more: the number is right, what it stood for is not.
        pytest.param(5, TITLE, row(title="theirs"), "conflict", "fields", 7, id="alive, the same version of another past"),
        pytest.param(4, change(archived_at=(None, LATER)), row(archived_at=AT), "merged", None, 6, id="alive, earlier stands"),
    ],
)
def test_the_table(
    base_version: int, fields: Fields, current: Row | None, outcome: str, reason: str | None, version: int | None
) -> None:
    found = decided(base_version, fields, current)
    assert found[:2] == (outcome, reason)
    assert (found[2] and found[2]["version"]) == version


def test_what_is_not_accepted_is_past_both_sides() -> None:
    for current, fields in ((row(title="theirs"), TITLE), (row(status="blocked"), TITLE), (row(), DELETION)):
        _, _, after = decided(4, fields, current, version=40)
        assert after["version"] == 41


@pytest.mark.parametrize(
    ("fields", "current", "version"),
    [
        pytest.param(TITLE, row(title="theirs"), 10, id="a clash"),
        pytest.param(DELETION, row(), 10, id="a deletion of what changed"),
        pytest.param(TITLE, row(deleted_at=AT), 10, id="an update of what was deleted"),
        pytest.param(change(claimed_by=(None, "me")), row(claimed_by="you"), 10, id="a claim that is taken"),
        pytest.param(TITLE, row(status="blocked"), 6, id="a merge: there the values are those which were displayed"),
    ],
)
def test_where_the_servers_values_stand_the_version_is_past_the_one_that_shows_mine(
    fields: Fields, current: Row, version: int
) -> None:
    mutation = Mutation(1, 1, "work_item", "i", 4, 5, "me", AT, "")
    after = decide(WORK_ITEM, mutation, fields, current, displayed=9).row
    assert after is not None
    assert after["version"] == version


def test_a_creation_is_past_those_that_were_refused() -> None:
    mutation = Mutation(1, 1, "work_item", "i", 0, 1, "me", AT, "")
    seen = [decide(WORK_ITEM, mutation, CREATION, None, logged=logged) for logged in (0, 1, 4)]
    assert [(one.outcome, one.row and one.row["version"]) for one in seen] == [("accepted", 1), ("merged", 2), ("merged", 5)]


@pytest.mark.parametrize(
    ("base_version", "fields", "current"),
    [
        pytest.param(5, TITLE, row(), id="in step"),
        pytest.param(5, DELETION, row(), id="a deletion in step"),
        pytest.param(4, TITLE, row(status="blocked"), id="a merge"),
        pytest.param(0, CREATION, None, id="a creation"),
        pytest.param(0, CREATION, row(deleted_at=AT), id="a creation of what was deleted"),
        pytest.param(4, DELETION, row(deleted_at=LATER), id="a deletion of what was deleted"),
    ],
)
def test_a_row_that_a_rebase_has_raised_is_merged_past_the_version_that_was_displayed(
    base_version: int, fields: Fields, current: Row | None
) -> None:
    mutation = Mutation(1, 1, "work_item", "i", base_version, base_version + 1, "me", AT, "")
    decision = decide(WORK_ITEM, mutation, fields, current, displayed=9, version_floor=9)
    assert decision.row is not None
    assert (decision.outcome, decision.row["version"]) == ("merged", 10)


def test_a_creation_that_is_deleted_from_the_start_revives_nothing() -> None:
    mutation = Mutation(1, 1, "work_item", "i", 0, 1, "me", AT, "")
    _, _, after = decided(0, CREATION | DELETION, row(deleted_at=LATER))
    assert after["deleted_at"] == AT
    assert rebase(WORK_ITEM, [(mutation, CREATION | DELETION)], row(deleted_at=LATER))["deleted_at"] == AT


def test_two_copies_of_a_replica_that_use_a_number_for_different_things_open_two_conflicts() -> None:
    mutations = [Mutation(7, 7, "work_item", "i", 1, 2, "me", at, "") for at in (AT, LATER, LATER)]
    drafts = [Draft(mutation, WORK_ITEM, {}, {}, row(), "fields") for mutation in mutations]
    first, second, again = (record("p", "r", draft, "a")["id"] for draft in drafts)
    assert first != second == again


def test_a_creation_that_waits_shows_the_row_that_it_revives() -> None:
    mutation = Mutation(1, 1, "work_item", "i", 0, 1, "me", AT, "")
    displayed = rebase(WORK_ITEM, [(mutation, CREATION)], row(deleted_at=AT, metadata='{"old":1}'))
    assert (displayed["deleted_at"], displayed["metadata"], displayed["version"]) == (None, "{}", 6)


def test_what_names_a_version_that_is_not_here_yet_is_taken_to_be_in_step() -> None:
    blind: Fields = {"title": {"blind": True, "old": None, "new": "mine"}}
    mutation = Mutation(1, 1, "work_item", "i", 7, 8, "me", AT, "")
    assert rebase(WORK_ITEM, [(mutation, blind)], row())["version"] == 8


def test_the_parts_of_a_conflict_that_do_not_clash_are_merged() -> None:
    fields = change(title=("base", "mine"), status=("active", "blocked"), metadata=({}, {"a": 1}))
    outcome, _, after = decided(4, fields, row(title="theirs", metadata='{"b":2}'))
    assert outcome == "conflict"
    assert (after["title"], after["status"], after["metadata"]) == ("theirs", "blocked", '{"b":2,"a":1}')


def test_the_earlier_archiving_stands() -> None:
    _, _, after = decided(4, change(archived_at=(None, LATER)), row(archived_at=AT))
    assert after["archived_at"] == AT


@pytest.mark.parametrize("new", [LATER, None])
def test_an_archiving_that_is_known_is_changed(new: str | None) -> None:
    outcome, _, after = decided(4, change(archived_at=(AT, new)), row(archived_at=AT))
    assert (outcome, after["archived_at"]) == ("merged", new)


def test_what_comes_with_a_deletion_that_clashes_is_kept_with_it() -> None:
    mutation = Mutation(1, 1, "work_item", "i", 4, 5, "me", AT, "")
    decision = decide(WORK_ITEM, mutation, TITLE | DELETION, row(status="blocked"))
    assert (decision.outcome, decision.reason, decision.row) == ("conflict", "changed", row(status="blocked", version=6))
    kept = {(*c.path, c.base, c.mine, c.theirs) for c in decision.clashes}
    assert kept == {("title", "base", "mine", "base"), ("deleted_at", None, AT, None)}


@pytest.mark.parametrize(("old", "stands"), [(None, AT), (AT, LATER)])
def test_the_first_deletion_stands_unless_it_is_known(old: str | None, stands: str) -> None:
    outcome, _, after = decided(4, change(deleted_at=(old, LATER)), row(deleted_at=AT))
    assert (outcome, after["deleted_at"]) == ("merged", stands)


def test_a_refusal_keeps_everything() -> None:
    mutation = Mutation(1, 1, "vendor", "i", 4, 5, "me", AT, "")
    current: Row = {"version": 7, "metadata": '{"a":1}', "operational": True}
    decision = refused(VENDOR, mutation, change(metadata=({"a": 1}, {"a": 2})), current, "why")
    assert (decision.outcome, decision.reason) == ("conflict", "why")
    assert decision.row == current | {"version": 8}
    assert [(c.path, c.base, c.mine, c.theirs) for c in decision.clashes] == [(("metadata",), {"a": 1}, {"a": 2}, {"a": 1})]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (({}, {"plan": {"x": 1}}), ({"plan": {}}, {"plan": {"y": 2}}), ({}, {"plan": {"x": 1, "y": 2}})),
        (
            ({"plan": "flat"}, {"plan": {"x": 1}}),
            ({"plan": {}}, {"plan": {"y": 2}}),
            ({"plan": "flat"}, {"plan": {"x": 1, "y": 2}}),
        ),
        (({"plan": {"x": 0}}, {"plan": {"x": 1}}), ({"plan": {"x": 1, "y": 2}}, {}), ({"plan": {"x": 0, "y": 2}}, {})),
        (
            ({"plan": {"x": 0}}, {"plan": {"x": 1}}),
            ({"plan": {"x": 1, "y": 2}}, {"plan": "flat"}),
            ({"plan": {"x": 0, "y": 2}}, {"plan": "flat"}),
        ),
    ],
)
def test_a_joined_conflict_has_both_changes_of_an_object(first: Any, second: Any, together: Any) -> None:
    drafts = []
    for number, (base, mine) in enumerate((first, second), 1):
        mutation = Mutation(number, number, "work_item", "i", number, number + 1, "me", AT, "")
        drafts.append(Draft(mutation, WORK_ITEM, {"metadata": base}, {"metadata": mine}, row(), "fields"))
    after = joined(record("p", "r", drafts[0], "a"), drafts[1], "a")
    assert (after["base"], after["mine"]) == ({"metadata": together[0]}, {"metadata": together[1]})


@pytest.mark.parametrize(("old", "stands"), [(None, AT), (AT, LATER)])
def test_the_history_tells_the_deletion_that_stands(old: str | None, stands: str) -> None:
    second = Line(6, None, AT, "merged", encode_json(change(deleted_at=(old, LATER))))
    *_, after = replayed(WORK_ITEM, [second], nothing(WORK_ITEM) | {"deleted_at": AT})
    assert after["deleted_at"] == stands
