"""What a migration says of itself, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from localfirst.migration.agreement import VENDOR_FIELDS

_COUNTED = {
    "vendor_count": "vendors",
    "deployment_history": "deployments",
    "enhancements": "enhancements",
    "session_prompts": "session prompts",
}


RANGES_LISTED = 20


def nothing_reconciled() -> dict[str, Any]:
    """The reconciliation of a migration that came to no check."""
    none: dict[str, Any] = {name: {"source": 0, "migrated": 0, "match": False} for name in _COUNTED}
    none["vendor_metadata"] = {"fields_validated": list(VENDOR_FIELDS), "completeness_percentage": 0.0, "match": False}
    return none


@dataclass(slots=True, kw_only=True)
class Report:
    """The contract's report. `errors` are codes, each followed by a sentence; `warnings` are sentences with line numbers."""

    success: bool = False
    dry_run: bool = False
    data_preservation_percentage: float = 0.0
    reconciliation: dict[str, Any] = field(default_factory=nothing_reconciled)
    kept_verbatim: dict[str, Any] = field(default_factory=lambda: {"count": 0, "lines": []})
    """The lines that were not understood, by number: they are in the store word for word."""

    rollback_executed: bool = False
    rows_created: int = 0
    backup: str | None = None
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    duration_ms: float = 0.0

    def fail(self, code: str, *sentences: str) -> None:
        """Adds what went wrong."""
        self.errors += [code, *(sentence.encode("utf-8", "replace").decode() for sentence in sentences)]

    def as_dict(self) -> dict[str, Any]:
        """All fields."""
        return {name: getattr(self, name) for name in self.__slots__}


def print_report(report: Report, *, is_earlier: bool = False) -> None:
    """The report for a person, on standard output; of a migration that has just ended, or of an earlier one."""
    from localfirst import terminal

    if not is_earlier and report.reconciliation == nothing_reconciled():
        for warning in report.warnings:
            terminal.say(f"! {warning}", "yellow")
        for error in report.errors:
            terminal.complain(error)
        terminal.say(_conclusion(report), "red")
        return
    rows = [
        [label, check["source"], check["migrated"], "yes" if check["match"] else "no"]
        for name, label in _COUNTED.items()
        for check in [report.reconciliation[name]]
    ]
    complete = report.reconciliation["vendor_metadata"]
    rows.append(["vendors' fields, %", 100, f"{complete['completeness_percentage']:g}", "yes" if complete["match"] else "no"])
    rows.append(["lines, %", 100, f"{report.data_preservation_percentage:g}", ""])
    for warning in report.warnings:
        terminal.say(f"! {warning}", "yellow")
    columns = [terminal.Column("what"), *(terminal.Column(name, "number") for name in ("in the file", "in the store"))]
    terminal.table([*columns, terminal.Column("match")], rows)
    if (kept := report.kept_verbatim)["count"]:
        terminal.say(_not_understood(kept["lines"]), "yellow")
    for error in report.errors:
        terminal.complain(error)
    conclusion = f"{report.rows_created} rows were written." if is_earlier else _conclusion(report)
    terminal.say(conclusion, "green" if report.success else "red")


def _not_understood(lines: list[int]) -> str:
    """The lines as ranges, the first of them if they are many."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    displayed = [f"{first}" if first == last else f"{first}–{last}" for first, last in ranges[:RANGES_LISTED]]
    more = ", …" if len(ranges) > RANGES_LISTED else ""
    words = "1 line was" if len(lines) == 1 else f"{len(lines)} lines were"
    return (
        f"! {words} not understood and {'is' if len(lines) == 1 else 'are'} kept word for word: {', '.join(displayed)}{more}."
    )


def _conclusion(report: Report) -> str:
    if not report.success:
        return "Nothing was changed." + (f" The file's copy is in {report.backup}." if report.backup else "")
    if report.dry_run:
        return f"All is well: {report.rows_created} rows would be written. Nothing was changed (dry run)."
    took = f"{report.duration_ms:.0f} ms"
    if not report.rows_created:
        return f"Everything was in the store already; nothing was changed ({took})."
    return f"{report.rows_created} rows written in {took}; the file is as it was, a copy is in {report.backup}."
