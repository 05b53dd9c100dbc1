"""The demo: a legacy file comes in on laptop A and reaches B; both work with the cable pulled; then it is plugged in again.
A third laptop reaches the server by a daemon alone.

Everything is real: PostgreSQL 18, a daemon, three MCP servers as processes of their own, the official MCP client. Nothing is
left behind.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import localfirst_schema
import localfirst_sync
import psycopg
from localfirst_schema.entities import ENTITIES, Entity, Kind
from localfirst_schema.wire import decode_json
from localfirst_sync.postgres.columns import pull_list
from rich.console import Console
from rich.table import Table

import localfirst
from localfirst.demo.daemon import running_daemon
from localfirst.demo.laptop import PROJECT, Laptop, ToolError
from localfirst.demo.server import Postgres, running_postgres
from localfirst.replica.rows import select_sql

SETTLE_S = 20.0
OUTDATED = "Which OCR engine is the fastest?"
_REAL_CONFLICTS = {"fields": ["title"], "deleted": ["status"]}
_DATABASE = "demo"

Rows: TypeAlias = dict[str, set[str]]
"""Table → its rows as text."""


class DemoFailed(Exception):
    """Something did not come out as it should: the demo is a test too."""


def run_demo(console: Console) -> dict[str, Any]:
    """Tells the story and takes everything away again; returns how it ended. Raises DemoFailed if it goes wrong."""
    folder = Path(tempfile.mkdtemp(prefix="localfirst-demo-"))
    try:
        with running_postgres(folder) as server:
            rows = asyncio.run(_tell(console, folder, server))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print("\n[dim]Everything was taken away again: the servers, all laptops, all files.[/dim]")
    return {"success": True, "server": server.version, "equal_everywhere": True, "rows": rows}


async def _tell(console: Console, folder: Path, server: Postgres) -> dict[str, int]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_DATABASE}")
    url = server.url(_DATABASE)
    _head(console, f"1. {server.version} is running; two laptops, A and B")
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(Laptop("A", folder / "a", server.socket, _DATABASE))
        b = await stack.enter_async_context(Laptop("B", folder / "b", server.socket, _DATABASE))
        await _bring_in_the_file(console, a, b)
        await _work_apart(console, a, b)
        await _reconnect(console, a, b)
        await _type_sql(console, url, a, b)
        await _index_code(console, url, a, b)
        daemon = await stack.enter_async_context(running_daemon(folder, url, PROJECT))
        c = await stack.enter_async_context(Laptop("C", folder / "c", server.socket, _DATABASE, daemon))
        await _by_the_daemon(console, a, c)
        return await _show_equal(console, url, a, b, c)


def _head(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


async def _bring_in_the_file(console: Console, a: Laptop, b: Laptop) -> None:
    _head(console, "2. A legacy .project_status.md comes in on A")
    legacy = a.folder / ".project_status.md"
    legacy.write_bytes(files("localfirst.demo").joinpath("legacy_project_status.md").read_bytes())
    code = "import sys; from localfirst.migration.program import main; sys.exit(main())"
    begin = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(legacy), "--json"], env=a.environment, cwd=a.folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise DemoFailed(done.stdout + done.stderr)
    report = json.loads(done.stdout)
    took = time.monotonic() - begin
    table = Table("what", "in the file", "brought in", box=None, pad_edge=False)
    for name, label in (
        ("vendor_count", "vendors"),
        ("deployment_history", "deployments"),
        ("enhancements", "enhancements"),
        ("session_prompts", "session prompts"),
    ):
        counts = report["reconciliation"][name]
        table.add_row(label, str(counts["source"]), str(counts["migrated"]))
    console.print(table)
    console.print(f"{report['data_preservation_percentage']:g} % of the file preserved, in {took:.1f} s.")
    begin = time.monotonic()
    await a.call("sync_now")
    await b.call("sync_now")
    status = await b.call("generate_full_status")
    _expect(
        status["vendor_health"]["total_vendors"] == report["reconciliation"]["vendor_count"]["migrated"], "B has the vendors"
    )
    console.print(
        f"B has it too: {status['vendor_health']['total_vendors']} vendors, {status['active_work_items']['total_count']} work"
        f" items ([dim]{1000 * (time.monotonic() - begin):.0f} ms through PostgreSQL, read from {status['data_source']}[/dim])."
    )


async def _work_apart(console: Console, a: Laptop, b: Laptop) -> None:
    task = await a.call(
        "create_work_item", item_type="task", title="Fix the OCR fallback", metadata={"priority": "high", "estimated_hours": 4}
    )
    note = await a.call("create_work_item", item_type="research", title=OUTDATED)
    await a.call("sync_now")
    await b.call("sync_now")
    _head(console, "3. The cable is pulled on both; both go on working")
    await a.cable.cut()
    await b.cable.cut()
    await a.call("update_vendor_status", name="Copperfield", version=1, operational=True)
    console.print("A  repairs the vendor Copperfield: operational")
    await b.call("update_vendor_status", name="Copperfield", version=1, metadata={"extractor_version": "0.11.9"})
    console.print("B  gives the same vendor a new extractor version: 0.11.9 [dim](same row)[/dim]")
    await a.call("update_work_item", id=task["id"], version=1, title="Fix the OCR fallback for scanned PDFs")
    console.print("A  renames a task:  “Fix the OCR fallback for scanned PDFs”")
    answer = await b.call("update_work_item", id=task["id"], version=1, title="Replace the OCR fallback")
    console.print("B  renames it too:  “Replace the OCR fallback” [dim](same field)[/dim]")
    await a.call("update_work_item", id=note["id"], version=1, deleted=True)
    await b.call("update_work_item", id=note["id"], version=1, status="blocked")
    console.print(f"A  deletes “{OUTDATED}”, while B says that it is blocked")
    console.print(f"   B is warned: {', '.join(answer['warnings'])}; the change waits in its replica")
    await b.call("create_work_item", item_type="research", title="Written on a plane")
    console.print("B  creates “Written on a plane”")
    try:
        await a.call("update_work_item", id=task["id"], version=1, status="completed")
    except ToolError as refused:
        console.print(f"A  a second agent still holds version 1: [red]{refused.content['error']}[/red]")
        console.print(f"   [dim]“{refused.content['message']}”[/dim]")
        _expect(refused.content["error"] == "VersionMismatchError", "the stale version is caught")
    else:
        raise DemoFailed("a stale version was accepted")


async def _reconnect(console: Console, a: Laptop, b: Laptop) -> None:
    _head(console, "4. The cable is plugged in again")
    begin = time.monotonic()
    done: dict[str, Any] = {}
    for laptop in (a, b, a):
        if laptop is not a or not done:
            await laptop.cable.plug_in()
        done = await _sync(laptop)
        console.print(
            f"{laptop.name}  pushed {done['pushed']}, pulled {done['pulled']}, merged {done['merged']},"
            f" conflicts {done['conflicts']}"
        )
    waiting = [(await laptop.call("sync_status"))["pending_mutations"] for laptop in (a, b)]
    _expect(waiting == [0, 0], "both queues are empty")
    console.print(f"[dim]{time.monotonic() - begin:.1f} s after the cable was back both queues are empty.[/dim]")
    vendor = await b.call("query_vendor_status", name="Copperfield")
    _expect(vendor["operational"] and vendor["metadata"]["extractor_version"] == "0.11.9", "both fields of the vendor stand")
    extractor = vendor["metadata"]["extractor_version"]
    console.print(
        f"   Copperfield: {vendor['status']} [dim](from A)[/dim], v{extractor} [dim](from B)[/dim],"
        f" version {vendor['version']}: merged by itself"
    )
    conflicts = {clash["reason"]: clash for clash in (await a.call("list_conflicts"))["conflicts"]}
    _expect({reason: c["fields"] for reason, c in conflicts.items()} == _REAL_CONFLICTS, "the two real conflicts are kept")
    clash, deletion = conflicts["fields"], conflicts["deleted"]
    table = Table("conflict on", "base", "stands (theirs)", "kept (mine)", box=None, pad_edge=False)
    values = [clash[side]["title"] for side in ("base", "theirs", "mine")]
    table.add_row("title", f"v{clash['base_version']} {values[0]}", values[1], f"{values[2]} [dim]({clash['my_by']})[/dim]")
    table.add_row("status", f"v{deletion['base_version']} active", "deleted", f"blocked [dim]({deletion['my_by']})[/dim]")
    console.print(table)
    console.print("   Nobody's words are lost; the same conflicts are on both laptops and the server.")
    both = "Replace the OCR fallback for scanned PDFs"
    await b.call("resolve_conflict", conflict_id=clash["conflict_id"], resolution="merge", fields={"title": both})
    await b.call("resolve_conflict", conflict_id=deletion["conflict_id"], resolution="theirs")
    await _sync(b)
    item = await a.call("query_work_item", id=clash["id"])
    _expect(item["title"] == both and item["warnings"] == [], "the settled conflict is settled on A too")
    console.print(f"B  settles them: “{both}”, and the deletion stands; A reads version {item['version']}")
    left = (await a.call("list_conflicts"))["total_count"]
    _expect(left == 0, "no conflict is left")
    console.print(f"A  has {left} conflicts left")


async def _sync(laptop: Laptop) -> dict[str, Any]:
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            return await laptop.call("sync_now")
        except ToolError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _type_sql(console: Console, url: str, a: Laptop, b: Laptop) -> None:
    _head(console, "5. Somebody types into psql")
    statement = "UPDATE localfirst.vendor_extractors SET operational = false WHERE name = 'Heron'"
    console.print(f"   [cyan]{statement};[/cyan]")
    before = (await a.call("query_vendor_status", name="Heron"))["version"]
    begin = time.monotonic()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement)
    for laptop in (a, b):
        vendor = await laptop.call("query_vendor_status", name="Heron")
        _expect(vendor["status"] == "broken" and vendor["version"] == before + 1, "the update is on every laptop")
    console.print(
        f"   A and B say: Heron is {vendor['status']}, version {vendor['version']}"
        f" [dim]({1000 * (time.monotonic() - begin):.0f} ms later)[/dim]"
    )


async def _index_code(console: Console, url: str, a: Laptop, b: Laptop) -> None:
    _head(console, "6. Both index the same code; B searches it with the cable pulled")
    for laptop in (a, b):
        for package in (localfirst, localfirst_sync, localfirst_schema):
            source = Path(next(iter(package.__path__)))
            shutil.copytree(source, laptop.folder / "code" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    began = time.monotonic()
    done = await a.index("code")
    console.print(
        f"A  indexed {done['files_indexed']} files, {done['chunks_created']} chunks: cut along the syntax tree, embedded on"
        f" the CPU [dim]({time.monotonic() - began:.1f} s)[/dim]"
    )
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as server:
        deadline = time.monotonic() + SETTLE_S
        published = "SELECT count(*) FROM localfirst.code_repositories WHERE model IS NOT NULL"
        while (await (await server.execute(published)).fetchone()) != (1,):
            _expect(time.monotonic() < deadline, "A's vectors are on the server")
            await asyncio.sleep(0.1)
    began = time.monotonic()
    done = await b.index("code")
    console.print(
        f"B  indexed {done['files_indexed']} files, and took the vectors from PostgreSQL"
        f" [dim]({time.monotonic() - began:.1f} s)[/dim]"
    )
    await b.cable.cut()
    question = "merge fields that only one side changed"
    found = (await b.call("search_code", query=question, limit=3))["results"]
    console.print(f"B  offline, asks: “{question}”")
    for one in found:
        console.print(f"   [cyan]{one['file_path']}:{one['start_line']}[/cyan]  {one['symbol'] or ''}", highlight=False)
    _expect(len(found) == 3, "the search finds something")
    await b.cable.plug_in()


async def _by_the_daemon(console: Console, a: Laptop, c: Laptop) -> None:
    _head(console, "7. A third laptop, C, reaches the server only by `localfirst serve`, with a token and no database address")
    begin = time.monotonic()
    vendors = await c.call("list_vendors", limit=1)
    console.print(
        f"C  has {vendors['total_count']} vendors"
        f" [dim]({1000 * (time.monotonic() - begin):.0f} ms over HTTP, read from {vendors['data_source']})[/dim]"
    )
    item = await c.call("create_work_item", item_type="task", title="Written on C")
    await _sync(c)
    begin = time.monotonic()
    found = await a.call("query_work_item", id=item["id"])
    _expect(found["title"] == "Written on C", "A has what C wrote")
    past = await a.call("get_history", entity="work_item", id=item["id"])
    via = past["changes"][0]["via"]
    _expect(via == "laptop C", "the history names the token")
    console.print(
        f"A  has C's item [dim]({1000 * (time.monotonic() - begin):.0f} ms later)[/dim]; its history says: by"
        f" {past['changes'][0]['by']}, via the token “{via}”"
    )


async def _show_equal(console: Console, url: str, a: Laptop, b: Laptop, c: Laptop) -> dict[str, int]:
    _head(console, "8. In the end: every row, on all laptops and in PostgreSQL")
    for laptop in (a, b, c):
        await _sync(laptop)
    sides = {laptop.name: _replica_rows(laptop.replica) for laptop in (a, b, c)} | {"PostgreSQL": _server_rows(url)}
    table = Table("table", *sides, "equal", box=None, pad_edge=False)
    for entity in ENTITIES:
        counts = [len(rows[entity.table]) for rows in sides.values()]
        equal = all(rows[entity.table] == sides["PostgreSQL"][entity.table] for rows in sides.values())
        _expect(equal, f"{entity.table} is equal everywhere")
        table.add_row(entity.table, *map(str, counts), "[green]✓[/green]")
    console.print(table)
    status = await a.call("generate_full_status")
    health, items = status["vendor_health"], status["active_work_items"]
    console.print(
        f"Vendors {health['operational_count']}/{health['total_vendors']} operational"
        f" ({health['operational_percentage']:g} %) · {items['total_count']} work items ·"
        f" {len(status['recent_deployments'])} recent deployments · {len(status['pending_enhancements'])} enhancements"
    )
    return {entity.table: len(sides["PostgreSQL"][entity.table]) for entity in ENTITIES}


def _replica_rows(path: Path) -> Rows:
    """Every row of a laptop's file, whole, as text."""
    connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {
            entity.table: {_canonical(entity, row) for row in connection.execute(select_sql(entity))} for entity in ENTITIES
        }
    finally:
        connection.close()


def _server_rows(url: str) -> Rows:
    """Every row of PostgreSQL, whole, as the same text."""
    with psycopg.connect(url) as connection:
        return {
            entity.table: {
                _canonical(entity, row)
                for row in connection.execute(f"SELECT {pull_list(entity, 't')} FROM localfirst.{entity.table} AS t")
            }
            for entity in ENTITIES
        }


def _canonical(entity: Entity, row: Sequence[Any]) -> str:
    values = {
        column.name: decode_json(value) if column.kind is Kind.JSON and value is not None else value
        for column, value in zip(entity.columns, row, strict=True)
    }
    return json.dumps(values, sort_keys=True)


def _expect(true: bool, what: str) -> None:
    if not true:
        raise DemoFailed(f"this did not come true: {what}")
