"""Work items as a person sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from localfirst_schema.entities import WORK_ITEM, Entity

from localfirst import terminal
from localfirst.cli import wording
from localfirst.cli.command import Result
from localfirst.terminal import Column

Shorten: TypeAlias = Callable[[Entity, str], str]

_COLUMNS = (
    Column("ref", "id"),
    Column("type", "faint"),
    Column("status", "word"),
    Column("priority", "word"),
    Column("title"),
    Column("v", "number"),
    Column("changed", "faint"),
)


def written(verb: str, item: Result) -> None:
    """One line on what was done, and to what."""
    if item.get("partial"):
        terminal.say(f"Kept the change of {item['id']}: this machine does not hold the item, so the server will decide.")
        return
    claimed = f", claimed by {item['claimed_by']}" if item.get("claimed_by") else ""
    terminal.say(
        f"{verb} {item['item_type']} {item['ref']} “{item['title']}” ({item['status']}{claimed}, version {item['version']})."
    )


def page(result: Result) -> None:
    """A page of items, with what there is beyond it."""
    items = result["items"]
    if not items:
        terminal.say("No work items." if not result["total_count"] else "No more work items.")
        return
    terminal.table(_COLUMNS, (_row(item) for item in items))
    last = result["offset"] + len(items)
    if result["offset"] or last < result["total_count"]:
        more = f"; --offset {last} shows the next" if last < result["total_count"] else ""
        terminal.note(f"{result['offset'] + 1} to {last} of {result['total_count']}{more}.")


def ready(result: Result) -> None:
    """Items to work on."""
    columns = (*_COLUMNS[:2], *_COLUMNS[3:5], Column("claimed by", "faint"))
    rows = [(*_row(item)[:2], *_row(item)[3:5], item.get("claimed_by")) for item in result["items"]]
    if rows:
        terminal.table(columns, rows)
    else:
        terminal.say("Nothing is ready: no active item, or each waits for another one.")


def found(result: Result) -> None:
    """What a search found."""
    if not result["items"]:
        terminal.say("Nothing found.")
        return
    rows = ((*_row(item)[:3], item["title"], f"{item['score']:.2f}") for item in result["items"])
    terminal.table((*_COLUMNS[:3], Column("title"), Column("score", "number")), rows)


def _row(item: Result) -> tuple[object, ...]:
    state = "deleted" if item.get("deleted_at") else ("archived" if item.get("archived_at") else item["status"])
    return (
        item["ref"],
        item["item_type"],
        state,
        (item.get("metadata") or {}).get("priority"),
        item["title"],
        item["version"],
        wording.ago(item["updated_at"]),
    )


def whole(item: Result) -> None:
    """One item with everything about it."""
    if item["parent_chain"]:
        terminal.say(" › ".join(ancestor["title"] for ancestor in item["parent_chain"]), "dim")
    terminal.say(item["title"], "bold")
    terminal.fields(_facts(item))
    if item["metadata"]:
        terminal.heading("Metadata")
        terminal.fields((name, terminal.inline(value)) for name, value in item["metadata"].items())
    if item["dependencies"]:
        terminal.heading("Links")
        terminal.table((Column("link"), Column("ref", "id"), Column("status", "word"), Column("title")), _links(item))
    if item["children"]:
        terminal.heading("Below it")
        columns = (Column("title"), Column("type", "faint"), Column("status", "word"), Column("ref", "id"))
        terminal.table(columns, _tree(item["children"], ""))


def trees(result: Result) -> None:
    """Items with what is below them."""
    if not result["items"]:
        terminal.say("No work items that are not completed.")
        return
    columns = (Column("title"), Column("type", "faint"), Column("status", "word"), Column("ref", "id"))
    terminal.table(columns, (row for item in result["items"] for row in _with_tree(item)))


def _with_tree(item: Result) -> Iterator[tuple[object, ...]]:
    yield item["title"], item["item_type"], item["status"], item["ref"]
    yield from _tree(item["children"], "")


def _facts(item: Result) -> Iterable[tuple[str, object]]:
    yield from (("ref", item["ref"]), ("id", item["id"]), ("type", item["item_type"]))
    yield from (("status", item["status"]), ("version", item["version"]))
    yield from (("claimed by", item.get("claimed_by")), ("branch", item["branch_name"]), ("commit", item["commit_hash"]))
    yield "pull request", f"#{item['pr_number']}" if item["pr_number"] else None
    for name in ("created", "updated", "archived", "deleted"):
        if (at := item[f"{name}_at"]) is not None:
            by = item.get(f"{name}_by")
            yield name, f"{wording.local_time(at)}{f' by {by}' if by else ''}"


def _links(item: Result) -> Iterator[tuple[object, ...]]:
    words = {
        ("depends_on", "outgoing"): "waits for",
        ("depends_on", "incoming"): "is awaited by",
        ("blocks", "outgoing"): "blocks",
        ("blocks", "incoming"): "is blocked by",
    }
    for link_ in item["dependencies"]:
        other = link_["related_item"]
        yield words[link_["type"], link_["direction"]], other["ref"], other["status"], other["title"]


def _tree(children: list[Result], indent: str) -> Iterator[tuple[object, ...]]:
    for child in children:
        last = child is children[-1]
        branch = f"{indent}{'└─ ' if last else '├─ '}"
        yield f"{branch}{child['title']}", child["item_type"], child["status"], child["ref"]
        yield from _tree(child["children"], f"{indent}{'   ' if last else '│  '}")


def link(short: Shorten, verb: str, result: Result) -> None:
    """One line on a link."""
    source, target = short(WORK_ITEM, result["source_id"]), short(WORK_ITEM, result["target_id"])
    middle = "waits for" if result["dependency_type"] == "depends_on" else "blocks"
    terminal.say(f"{verb}: {source} {middle if verb == 'Linked' else 'and'} {target}.")


def commented(result: Result) -> None:
    """One line on a new comment."""
    terminal.say(f"Commented as {result['created_by'] or 'nobody'}.")


def comments(result: Result) -> None:
    """A conversation."""
    if not result["items"]:
        terminal.say("No comments.")
    for comment in result["items"]:
        terminal.say(f"{comment['created_by'] or '–'}, {wording.local_time(comment['created_at'])}", "dim")
        terminal.say(f"{comment['body']}\n")
    if len(result["items"]) < result["total_count"]:
        terminal.note(f"{len(result['items'])} of {result['total_count']}; --offset and --limit show others.")
