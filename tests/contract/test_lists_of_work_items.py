"""Lists of work items: filters, pages, what is ready to be done, and search."""

from __future__ import annotations

import pytest

from contract.agent import Agent, Answer


def ids(answer: Answer) -> list[str]:
    return [item["id"] for item in answer["items"]]


def under(agent: Agent, parent: Answer, **filters: object) -> list[str]:
    return [item["title"] for item in agent.call("list_work_items", parent_id=parent["id"], **filters)["items"]]


@pytest.fixture
def parent(agent: Agent, name: str) -> Answer:
    """Lists are asked for below it, so that other tests do not show in them."""
    return agent.create(name, "project")


def test_the_newest_change_comes_first(agent: Agent, parent: Answer) -> None:
    made = [agent.create(title, parent_id=parent["id"]) for title in ("a", "b", "c")]
    assert under(agent, parent) == ["c", "b", "a"]
    agent.update(made[0], status="blocked")
    assert under(agent, parent) == ["a", "c", "b"]


def test_a_list_of_everything_begins_with_the_last_change(agent: Agent, name: str) -> None:
    item = agent.create(name)
    assert ids(agent.call("list_work_items"))[0] == item["id"]


def test_a_list_is_read_page_by_page(agent: Agent, parent: Answer) -> None:
    for number in range(7):
        agent.create(str(number), parent_id=parent["id"])
    pages = [agent.call("list_work_items", parent_id=parent["id"], limit=3, offset=offset) for offset in (0, 3, 6, 9, 2**40)]
    assert [[item["title"] for item in page["items"]] for page in pages] == [["6", "5", "4"], ["3", "2", "1"], ["0"], [], []]
    assert {page["total_count"] for page in pages} == {7}
    assert [(page["limit"], page["offset"]) for page in pages[:2]] == [(3, 0), (3, 3)]


def test_the_filters_narrow_together(agent: Agent, parent: Answer) -> None:
    for item_type in ("task", "session"):
        for status in ("active", "completed", "blocked"):
            agent.create(f"{item_type} {status}", item_type, status=status, parent_id=parent["id"])
    assert set(under(agent, parent, item_type="task")) == {"task active", "task completed", "task blocked"}
    assert set(under(agent, parent, status="blocked")) == {"task blocked", "session blocked"}
    assert under(agent, parent, item_type="session", status="completed") == ["session completed"]
    assert under(agent, parent, item_type="research") == []


def test_the_total_counts_what_the_filter_lets_through(agent: Agent, parent: Answer) -> None:
    for status in ("active", "active", "completed"):
        agent.create("x", status=status, parent_id=parent["id"])
    answer = agent.call("list_work_items", parent_id=parent["id"], status="active", limit=1)
    assert (len(answer["items"]), answer["total_count"]) == (1, 2)


def test_only_roots_when_only_roots_are_wanted(agent: Agent, parent: Answer) -> None:
    child = agent.create("x", parent_id=parent["id"])
    roots = agent.call("list_work_items", root_only=True, limit=100, detail="full")
    assert parent["id"] in ids(roots)
    assert child["id"] not in ids(roots)
    assert {item["depth"] for item in roots["items"]} == {0}


def test_a_parent_lists_its_children_and_not_theirs(agent: Agent, parent: Answer) -> None:
    child = agent.create("child", parent_id=parent["id"])
    agent.create("grandchild", parent_id=child["id"])
    assert under(agent, parent) == ["child"]


def test_deleted_items_are_listed_on_demand(agent: Agent, parent: Answer) -> None:
    agent.update(agent.create("gone", parent_id=parent["id"]), deleted=True)
    agent.create("here", parent_id=parent["id"])
    assert under(agent, parent) == ["here"]
    assert set(under(agent, parent, include_deleted=True)) == {"here", "gone"}


def test_without_being_reported_a_list_is_50_long(agent: Agent, parent: Answer) -> None:
    for number in range(51):
        agent.create(str(number), parent_id=parent["id"])
    answer = agent.call("list_work_items", parent_id=parent["id"])
    assert (len(answer["items"]), answer["total_count"], answer["limit"], answer["offset"]) == (50, 51, 50, 0)


def ready(agent: Agent, items: list[Answer]) -> list[str]:
    """The titles of those of these items that are ready, in the order given by the tool."""
    mine = {item["id"] for item in items}
    return [item["title"] for item in agent.call("ready_work_items", limit=100)["items"] if item["id"] in mine]


def test_only_active_items_are_ready(agent: Agent) -> None:
    items = [agent.create(status, status=status) for status in ("active", "completed", "blocked")]
    assert ready(agent, items) == ["active"]


def test_the_most_urgent_is_the_first_to_be_ready(agent: Agent) -> None:
    items = [agent.create(priority, metadata={"priority": priority}) for priority in ("low", "high", "medium")]
    assert ready(agent, items) == ["high", "medium", "low"]


@pytest.mark.parametrize("unfinished", ["active", "blocked"])
def test_what_depends_on_something_unfinished_is_not_ready(agent: Agent, unfinished: str) -> None:
    first, second = agent.create("first", status=unfinished), agent.create("second")
    agent.call("link_work_items", source_id=second["id"], target_id=first["id"], dependency_type="depends_on")
    assert "second" not in ready(agent, [first, second])
    agent.update(first, status="completed")
    assert ready(agent, [first, second]) == ["second"]


@pytest.mark.parametrize("unfinished", ["active", "blocked"])
def test_what_something_unfinished_blocks_is_not_ready(agent: Agent, unfinished: str) -> None:
    first, second = agent.create("first", status=unfinished), agent.create("second")
    agent.call("link_work_items", source_id=first["id"], target_id=second["id"], dependency_type="blocks")
    assert "second" not in ready(agent, [first, second])
    agent.update(first, status="completed")
    assert ready(agent, [first, second]) == ["second"]


def test_one_of_two_unfinished_is_enough_to_wait_for(agent: Agent) -> None:
    one, two, last = (agent.create(title) for title in ("one", "two", "last"))
    for before in (one, two):
        agent.call("link_work_items", source_id=last["id"], target_id=before["id"], dependency_type="depends_on")
    agent.update(one, status="completed")
    assert ready(agent, [last]) == []
    agent.update(two, status="completed")
    assert ready(agent, [last]) == ["last"]


def test_an_unlinked_or_deleted_item_blocks_nothing(agent: Agent) -> None:
    one, two, last = (agent.create(title) for title in ("one", "two", "last"))
    for before in (one, two):
        agent.call("link_work_items", source_id=last["id"], target_id=before["id"], dependency_type="depends_on")
    agent.call("unlink_work_items", source_id=last["id"], target_id=one["id"], dependency_type="depends_on")
    assert ready(agent, [last]) == []
    agent.update(two, deleted=True)
    assert ready(agent, [last]) == ["last"]


def test_ready_items_can_be_narrowed(agent: Agent) -> None:
    agent.create("a", "research")
    assert len(agent.call("ready_work_items", limit=1)["items"]) == 1
    types = {item["item_type"] for item in agent.call("ready_work_items", item_type="research")["items"]}
    assert types == {"research"}


def test_a_search_finds_words_of_titles_and_metadata(agent: Agent) -> None:
    item = agent.create("Calibrate the zirconium spectrometer", metadata={"blocked_reason": "waiting for quokkas"})
    for query in ("zirconium", "ZIRCONIUM", "spectrometer calibrate", "quokkas"):
        found = agent.call("search_work_items", query=query)["items"]
        assert found, query
        assert found[0]["id"] == item["id"], query
        assert isinstance(found[0]["score"], float)


def test_the_scores_of_a_search_fall(agent: Agent) -> None:
    agent.create("walrus walrus walrus")
    agent.create("a walrus among many other animals that are listed here at some length")
    scores = [item["score"] for item in agent.call("search_work_items", query="walrus")["items"]]
    assert len(scores) >= 2
    assert scores == sorted(scores, reverse=True)


def test_a_search_sees_the_current_text(agent: Agent) -> None:
    item = agent.create("ptarmigan")
    agent.update(item, title="capercaillie")
    assert item["id"] in ids(agent.call("search_work_items", query="capercaillie"))
    found = agent.call("search_work_items", query="ptarmigan")["items"]
    assert not [each for each in found if "ptarmigan" in each["title"]]


def test_a_search_is_as_long_as_asked_for(agent: Agent) -> None:
    for number in range(4):
        agent.create(f"gnu {number}")
    assert len(agent.call("search_work_items", query="gnu", limit=3)["items"]) == 3


def test_a_search_reads_words_of_any_script(agent: Agent) -> None:
    for word in ("Überraschung", "данные", "naïveté", "東京タワー"):
        item = agent.create(f"about {word} here")
        assert item["id"] in ids(agent.call("search_work_items", query=word)), word


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"unclosed',
        "*",
        "a*",
        "AND",
        "OR NOT",
        "NEAR(a b",
        "title:x",
        "-x",
        "^x",
        "(",
        ")(",
        "'; DROP TABLE work_items; --",
        "a:b:c",
        "{a b}",
        "+",
        "%",
        "_",
        "\\",
        "🎉",
        "\n",
        "a" * 9_999,
        "word " * 1_999,
    ],
    ids=lambda query: repr(query[:12]),
)
def test_any_characters_may_be_searched_for(agent: Agent, query: str) -> None:
    result = agent.raw("search_work_items", query=query)
    assert result.structured_content is not None
    assert result.is_error is False or result.structured_content["error"] == "ValidationError", result.structured_content


@pytest.mark.parametrize("mark", ['say "hello" twice', "C++ (and C#)", "50% of a_b", "foo-bar.baz:qux", "it's"])
def test_a_title_with_marks_is_found_by_itself(agent: Agent, mark: str) -> None:
    item = agent.create(f"numbat {mark}")
    assert item["id"] in ids(agent.call("search_work_items", query=f"numbat {mark}"))
