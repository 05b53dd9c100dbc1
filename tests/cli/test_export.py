"""`localfirst export`: the whole replica as one document."""

from __future__ import annotations

import json
import stat

from cli.shell import Shell


def test_an_export_holds_every_row_with_its_history(shell: Shell) -> None:
    item = shell.item("Task", "-m", "priority=high")
    shell.ok("item", "update", item, "--title", "Renamed")
    gone = shell.item("Gone")
    shell.ok("item", "delete", gone)
    shell.ok("item", "comment", item, "Said")
    shell.ok("vendor", "create", "Alder")
    document = json.loads(shell.ok("export").out)
    titles = {row["title"]: row for row in document["work_items"]}
    assert set(titles) == {"Renamed", "Gone"}
    assert titles["Renamed"]["metadata"] == {"priority": "high"}
    assert titles["Gone"]["deleted_at"]
    assert [row["body"] for row in document["work_item_comments"]] == ["Said"]
    assert document["vendor_extractors"][0]["operational"] is True
    assert len(document["project_configuration"]) == 1
    versions = [change["version"] for change in document["history"] if change["entity_id"] == item]
    assert versions == [1, 2]
    assert document["unsent_changes"] == 6


def test_an_export_for_a_program_is_one_line(shell: Shell) -> None:
    shell.item("Task")
    assert shell.ok("export", "--json").json["format"] == 1
    assert shell.ok("export").out.count("\n") > 5


def test_a_file_is_private_and_replaced_whole(shell: Shell) -> None:
    shell.item("Task")
    target = shell.project / "out.json"
    target.write_text("something else")
    target.chmod(0o644)
    assert "Exported to" in shell.ok("export", "-o", "out.json").out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert json.loads(target.read_text())["work_items"][0]["title"] == "Task"
    reported = shell.json("export", "-o", "out.json")
    assert reported["counts"]["work_items"] == 1
    assert [file.name for file in shell.project.iterdir()] == ["out.json"]


def test_a_place_that_cannot_be_written_is_reported(shell: Shell) -> None:
    done = shell.run("export", "-o", "nowhere/out.json")
    assert done.status == 1
    assert "cannot be written" in done.err
