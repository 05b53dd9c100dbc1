"""Which acts may go before those that wait for held rows."""

from __future__ import annotations

from typing import Any

from localfirst_sync.postponement import Footprint, footprint, postponed

PATHS = {"root": "root", "a": "root/a", "leaf": "root/a/leaf", "b": "b"}


def changed(*ids: str) -> Footprint:
    return Footprint(frozenset(("work_item", one) for one in ids), frozenset())


def of(row_id: str, row: dict[str, Any] | None = None, /, **fields: tuple[Any, Any]) -> Footprint:
    logged = {name: {"old": old, "new": new} for name, (old, new) in fields.items()}
    return footprint([("work_item", row_id, logged, {"parent_id": None} | (row or {}))], PATHS)


def test_only_what_needs_the_rows_waits() -> None:
    assert postponed([changed("x"), changed("y"), changed("z")], {1}) == [1]


def test_the_order_within_a_row_is_kept_through_others() -> None:
    acts = [changed("x"), changed("x", "y"), changed("z"), changed("y"), changed("x")]
    assert postponed(acts, {0}) == [0, 1, 3, 4]


def test_what_was_made_before_goes_on() -> None:
    assert postponed([changed("x"), changed("x", "y"), changed("y")], {1}) == [1, 2]


def test_a_child_waits_for_what_brings_its_parent() -> None:
    child = of("new", {"parent_id": "leaf"}, parent_id=(None, "leaf"))
    assert postponed([of("leaf", title=("a", "b")), child], {0}) == [0, 1]
    assert postponed([of("a", parent_id=("root", None)), child], {0}) == [0, 1], "its depth is the moved one's"


def test_two_children_of_one_parent_do_not_wait_for_each_other() -> None:
    one = of("one", {"parent_id": "a"}, parent_id=(None, "a"))
    assert postponed([one, of("two", {"parent_id": "a"}, parent_id=(None, "a"))], {0}) == [0]


def test_a_deletion_waits_for_what_takes_the_last_child_away() -> None:
    away = of("leaf", {"parent_id": None}, parent_id=("a", None))
    assert postponed([away, of("a", {"parent_id": "root"}, deleted_at=(None, "now"))], {0}) == [0, 1]


def test_dependencies_wait_for_each_other_since_any_may_close_a_circle() -> None:
    def link(row_id: str, source: str, target: str) -> Footprint:
        fields = {"work_item_id": {"old": None, "new": source}, "depends_on_id": {"old": None, "new": target}}
        return footprint([("work_item_dependency", row_id, fields, None)], PATHS)

    assert postponed([link("1", "root", "b"), link("2", "leaf", "a")], {0}) == [0, 1]
    assert postponed([link("1", "root", "b"), of("x", title=("a", "b"))], {0}) == [0]
