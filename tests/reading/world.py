"""One project in all four layers: PostgreSQL, a replica, the git history and the status file, all saying the same.

It is made once; each test gets a place of its own, with the layers that it names, and breaks what it likes there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from code_index.workers import no_worker_left
from waiting import until

from localfirst.client.opening import open_session
from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.settings import Settings, load
from reading.damage import checkpointed

PROJECT = "team/reading"
STATUS_FILE = ".project_status.md"
LAYERS = ("postgresql", "replica", "git", "markdown")
SOURCE = {"postgresql": "postgresql", "replica": "sqlite_cache", "git": "git_history", "markdown": "markdown_file"}

Answer = dict[str, Any]


def call(session: Any, operation: str, **arguments: Any) -> Answer:
    """One operation, as a tool call would run it."""
    found = BY_NAME[operation]
    if found.rows is not None:
        arguments.setdefault("detail", "full")  # tests look at every field
    return found.run(session, found.arguments.model_validate(arguments))


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """Runs git with a configuration of its own."""
    own = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
    }  # fmt: skip
    command = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **own, **environment}).stdout


def nobody_there() -> str:
    """The address of a server that refuses: nothing listens at its port."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return f"postgresql://nobody@127.0.0.1:{reserved.getsockname()[1]}/nowhere"


class World:
    """The project as it was made.

    Attributes:
        url: PostgreSQL with the project in it.
        item, parent, deployment, vendor, job: what reads may name.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder
        self._replica = folder / "replica.db"
        settings = self._settings(folder, self._replica, url)
        session = Session(settings)
        self._fill(session)
        assert session.link is not None
        assert session.link.sync(30) is not None
        self.text = call(session, "generate_full_status", output_format="markdown")["markdown"]
        session.close()
        with no_worker_left(self._replica):
            self._index(settings)
        checkpointed(self._replica)  # places copy the file alone
        (folder / STATUS_FILE).write_text(self.text)
        git(folder, "init", "-q")
        git(folder, "add", STATUS_FILE)
        git(folder, "commit", "-q", "-m", "status")

    def _index(self, settings: Settings) -> None:
        """A repository, indexed here and shared with the team."""
        code = self._folder / "code"
        code.mkdir()
        git(code, "init", "-q")
        git(code, "remote", "add", "origin", "git@example.org:team/parser.git")
        (code / "parser.py").write_text('def parse_header(line):\n    """Splits a header."""\n    return line.split(":")\n')
        session = Session(settings)
        self.job = call(session, "index_repository", repo_path=str(code))["job_id"]
        is_unpublished = "SELECT EXISTS (SELECT 1 FROM index_jobs WHERE to_publish = 1)"
        until(lambda: not session.replica.execute(is_unpublished).get, 30, "the index has reached the team's server")
        session.close()

    def _fill(self, session: Session) -> None:
        description = {"description": "All of it"}
        parent = call(session, "create_work_item", item_type="project", title="The portal", metadata=description)
        item = call(
            session, "create_work_item", item_type="task", title="Mend the parser", parent_id=parent["id"],
            metadata={"priority": "high", "note": "ünï ✓"},
        )  # fmt: skip
        other = call(session, "create_work_item", item_type="task", title="Write the tests", parent_id=parent["id"])
        prompt = {"prompt": "Begin.\n\n## Not a heading"}
        call(session, "create_work_item", item_type="session", title="A morning", metadata=prompt)
        call(session, "link_work_items", source_id=item["id"], target_id=other["id"], dependency_type="depends_on")
        call(session, "update_work_item", id=item["id"], version=1, metadata={"estimated_hours": 3})
        tests = {"passing": 3, "total": 4, "skipped": 1}
        vendor = call(session, "create_vendor", name="Alder", metadata={"test_results": tests, "extractor_version": "1.2.0"})
        call(session, "create_vendor", name="Birch", operational=False)
        deployment = call(
            session, "record_deployment", vendor_ids=[vendor["id"]], work_item_ids=[item["id"]],
            metadata={"pr_number": 7, "pr_title": "The parser", "commit_hash": "a" * 40, "test_summary": {"passed": 9}},
        )  # fmt: skip
        call(session, "create_enhancement", title="Faster", priority="high", target_quarter="Q1 2026")
        self.item, self.parent, self.vendor, self.deployment = item["id"], parent["id"], "Alder", deployment["id"]

    def place(self, folder: Path, layers: Iterable[str], *, url: str | None = None, **more: str) -> Settings:
        """A copy with these layers; `url` instead of PostgreSQL's own, or of one that refuses where PostgreSQL is absent."""
        present = set(layers)
        folder.mkdir(parents=True, exist_ok=True)
        replica = folder / "replica" / "here.db"
        if "replica" in present:
            replica.parent.mkdir()
            shutil.copyfile(self._replica, replica)
            replica.chmod(0o600)
        else:
            replica.parent.write_text("in the way: the replica can be neither opened nor made")
        if "git" in present:
            shutil.copytree(self._folder / ".git", folder / ".git")
        if "markdown" in present:
            (folder / STATUS_FILE).write_text(self.text)
        url = url or (self.url if "postgresql" in present else nobody_there())
        return self._settings(folder, replica, url, **more)

    def _settings(self, folder: Path, replica: Path, url: str, **more: str) -> Settings:
        environment = {
            "LOCALFIRST_REPLICA": str(replica), "LOCALFIRST_PROJECT": PROJECT, "LOCALFIRST_DATABASE_URL": url,
            "LOCALFIRST_CLIENT": "tester", **more,
        }  # fmt: skip
        # The root is the place itself, also where no .git makes it one.
        return load(folder, {name: value for name, value in environment.items() if value})._replace(
            root=folder, markdown=folder / STATUS_FILE
        )


class Reader:
    """A session, and every reading tool asked for the same things."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.session = open_session(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def ask(self, tool: str, **arguments: Any) -> Answer:
        """One answer."""
        return call(self.session, tool, **arguments)

    def questions(self) -> dict[str, Answer]:
        """The arguments of each tool whose answer says where it is from, for things that every layer knows."""
        world = self.world
        return {
            "query_work_item": {"id": world.item},
            "list_work_items": {},
            "ready_work_items": {},
            "search_work_items": {"query": "parser"},
            "get_history": {"entity": "work_item", "id": world.item},
            "query_vendor_status": {"name": world.vendor},
            "list_vendors": {},
            "list_deployments": {},
            "list_enhancements": {},
            "generate_full_status": {"output_format": "markdown"},
        }

    def code_found(self) -> Answer:
        """What a search of code answers."""
        return self.ask("search_code", query="parse header")

    def answers(self) -> dict[str, Answer]:
        """The answer of each of them."""
        return {tool: self.ask(tool, **arguments) for tool, arguments in self.questions().items()}
