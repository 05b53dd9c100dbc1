"""A project to search in: a session on a replica of its own, and shorthands for what the tests do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.settings import load


class Board:
    """Work items on one replica; several boards may share the file, as several processes do."""

    def __init__(self, directory: Path) -> None:
        self.session = Session(load(directory, {"LOCALFIRST_REPLICA": str(directory / "replica.sqlite3")}))
        self.replica = self.session.replica

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        found = BY_NAME[operation]
        return found.run(self.session, found.arguments.model_validate(arguments))

    def add(self, title: str, **metadata: Any) -> dict[str, Any]:
        return self.call("create_work_item", item_type="task", title=title, metadata=metadata)

    def add_all(self, *titles: str) -> None:
        for title in titles:
            self.add(title)

    def change(self, item: dict[str, Any], **values: Any) -> dict[str, Any]:
        return self.call("update_work_item", id=item["id"], version=item["version"], **values)

    def found(self, query: str, limit: int = 10) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.call("search_work_items", query=query, limit=limit)["items"]
        return items

    def titles(self, query: str, limit: int = 10) -> list[str]:
        return [item["title"] for item in self.found(query, limit)]
