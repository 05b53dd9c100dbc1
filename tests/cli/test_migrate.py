"""The migration of a status file as a command; what it does is in `tests/migration`."""

from __future__ import annotations

from cli.shell import Shell

STATUS = "# Project Status\n\n## Vendors (1 total)\n- vendor_1: operational (10/12 tests passed, 2 skipped) [Excel] v1.2.3\n"


def test_a_file_is_brought_in_once(shell: Shell) -> None:
    file = shell.project / ".project_status.md"
    file.write_text(STATUS)
    assert shell.json("migrate", str(file), "--dry-run")["success"]
    assert shell.json("vendor", "list")["total_count"] == 0
    assert shell.json("migrate", ".project_status.md")["reconciliation"]["vendor_count"] == {
        "source": 1,
        "migrated": 1,
        "match": True,
    }
    assert shell.json("migrate", str(file))["rows_created"] == 0
    assert shell.json("vendor", "list")["items"][0]["name"] == "vendor_1"
    assert shell.json("migrate", "--report")["success"]


def test_a_file_that_is_not_there_is_an_error(shell: Shell) -> None:
    done = shell.run("migrate", ".project_status.md")
    assert (done.status, "does not exist" in done.err) == (1, True)


def test_a_file_of_which_nothing_is_recognised_says_so(shell: Shell) -> None:
    (shell.project / "notes.md").write_text("# Something else\n\nhello\n")
    assert "Nothing in notes.md was recognised" in (done := shell.run("migrate", "notes.md")).out + done.err


def test_which_file_is_for_the_person_to_say(shell: Shell) -> None:
    (shell.project / ".project_status.md").write_text(STATUS)
    done = shell.run("migrate")
    assert (done.status, "name the status file" in done.err) == (2, True)
