"""Vendors, deployments, enhancements, the configuration, status and archiving."""

from __future__ import annotations

import pytest

from cli.shell import Shell

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_vendor_breaks_and_works_again(shell: Shell) -> None:
    shell.ok("vendor", "create", "Alder", "-m", 'test_results={"passing":10,"total":12}')
    assert shell.json("vendor", "show", "Alder")["status"] == "operational"
    assert shell.json("vendor", "update", "Alder", "--broken")["version"] == 2
    assert [one["name"] for one in shell.json("vendor", "list", "--status", "broken")["items"]] == ["Alder"]
    assert "10/12" in shell.ok("vendor", "list").out
    assert len(shell.json("vendor", "history", "Alder")["changes"]) == 2
    assert "nope" in shell.error("vendor", "history", "nope")["message"]
    assert shell.error("vendor", "create", "Alder")["error"] == "DuplicateError"
    assert shell.error("vendor", "update", "Alder", "--operational", "--version", "1")["error"] == "VersionMismatchError"
    assert "`localfirst vendor list`" in shell.run("vendor", "show", "Nobody").err


def test_a_deployment_names_what_it_touched(shell: Shell) -> None:
    item = shell.item("Fix the cart")
    shell.ok("vendor", "create", "Alder")
    recorded = shell.json(
        "deployment", "record", "--pr", "7", "--title", "Ship", "--commit", COMMIT, "--vendor", "Alder", "--item", item[:20]
    )
    assert [one["name"] for one in recorded["affected_vendors"]] == ["Alder"]
    assert [one["title"] for one in recorded["related_work_items"]] == ["Fix the cart"]
    displayed = shell.ok("deployment", "show", recorded["id"][:12]).out
    assert "Fix the cart" in displayed
    assert "Alder" in displayed
    assert shell.json("deployment", "list")["total_count"] == 1
    assert shell.error("deployment", "record", "--vendor", "Nobody")["error"] == "NotFoundError"
    assert shell.json("deployment", "list", "--since", "2999-01-01")["items"] == []


def test_an_enhancement_is_planned_changed_and_dropped(shell: Shell) -> None:
    planned = shell.json("enhancement", "create", "Dark mode", "-p", "high", "-q", "2026-Q1", "--description", "x")
    assert planned["target_quarter"] == "Q1 2026"
    changed = shell.json("enhancement", "update", planned["id"][:12], "-s", "approved", "--clear", "description")
    assert (changed["status"], changed.get("description"), changed["version"]) == ("approved", None, 2)
    assert "Dark mode" in shell.ok("enhancement", "list", "--priority", "high").out
    shell.ok("enhancement", "update", planned["id"], "--delete")
    assert shell.json("enhancement", "list")["total_count"] == 0


def test_the_configuration_is_set(shell: Shell) -> None:
    shell.ok("config", "set", "--branch", "main", "--token-budget", "90000", "--context", "research")
    displayed = shell.json("config", "show")
    assert (displayed["git_branch"], displayed["default_token_budget"], displayed["active_context_type"]) == (
        "main",
        90000,
        "research",
    )
    assert "main" in shell.ok("config", "show").out
    assert shell.error("config", "set", "--token-budget", "1")["details"]["field"] == "default_token_budget"


def test_status_is_one_screen(shell: Shell) -> None:
    assert "None yet" in shell.ok("status").out
    shell.item("Task", "-s", "completed")
    shell.item("Other")
    shell.ok("vendor", "create", "Alder", "--broken")
    displayed = shell.ok("status").out
    assert "1 of 2 completed" in displayed
    assert "0 operational, 1 broken" in displayed
    assert shell.json("status")["active_work_items"]["by_status"]["completed"] == 1


def test_status_prints_the_text_of_the_status_file(shell: Shell) -> None:
    pytest.importorskip("localfirst.markdown.store")
    shell.ok("vendor", "create", "Alder")
    text = shell.ok("status", "--markdown").out
    assert text.startswith("# Project Status")
    assert "Alder: operational" in text
    assert shell.ok("export", "--format", "markdown").out == text


def test_archived_items_leave_the_list(shell: Shell) -> None:
    shell.item("Old", "--created-at", "2020-01-01")
    shell.item("New")
    assert shell.ok("archive").out == "Archived 1 work item.\n"
    assert [item["title"] for item in shell.json("item", "list")["items"]] == ["New"]
    assert "archived" in shell.ok("item", "list", "--archived").out
    assert shell.json("archive")["archived_count"] == 0
