"""Writes the reference of the tools and of the commands from the code that carries them out: `docs/reference/`.

`make reference` runs it; a test compares what it would write with what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from localfirst.cli.app import COMMANDS, build
from localfirst.mcp_server.tools import tool_list
from localfirst.operations.registry import OPERATIONS

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
HEAD = "<!-- Made by `make reference` from the code: change it there. -->\n\n"
COMMON = ("success", "warnings", "announcement")
"""Fields that every result may have: see `README.md` of the folder above."""

LIMITS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMinimum": "> {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "`{}`",
}


def pages() -> dict[str, str]:
    """File name → content."""
    return {"tools.md": "\n".join(_tools()) + "\n", "commands.md": "\n".join(_commands()) + "\n"}


def _tools() -> Iterator[str]:
    yield HEAD + "# Tools\n"
    yield "What the MCP server offers, and `Project.call` of the Python package. Errors and the fields of every result are"
    yield "described in [the overview](../README.md#every-result). `LOCALFIRST_TOOLS` chooses by tool or group.\n"
    by_name = {operation.name: operation for operation in OPERATIONS}
    for tool in tool_list(OPERATIONS):
        yield f"## {tool['name']}\n"
        yield f"{tool['description']}\n"
        yield f"Groups: {', '.join(by_name[tool['name']].groups) or 'none'}. {_effect(tool['annotations'])}\n"
        yield from _arguments(by_name[tool["name"]].arguments.model_json_schema())
        fields = [name for name in tool["outputSchema"].get("properties", {}) if name not in COMMON]
        yield f"Result: {', '.join(f'`{name}`' for name in fields) or 'the fields of every result'}.\n"


def _effect(hints: dict[str, bool]) -> str:
    if hints["readOnlyHint"]:
        return "Reads."
    words = "Destroys." if hints["destructiveHint"] else "Writes."
    return f"{words} Repeating it changes nothing more." if hints["idempotentHint"] else words


def _arguments(schema: dict[str, Any]) -> Iterator[str]:
    if not schema.get("properties"):
        yield "No arguments.\n"
        return
    yield "| argument | type | |"
    yield "| --- | --- | --- |"
    required = schema.get("required", ())
    for name, given in schema["properties"].items():
        one = _plain(given, schema)
        yield f"| `{name}`{'' if name in required else '?'} | {_type(one, schema)} | {_notes(one)} |"
    yield ""


def _plain(one: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """One type as it is given: null is absence, a reference is what it refers to."""
    if "$ref" in one:
        one = {**schema["$defs"][one["$ref"].rsplit("/", 1)[1]], **{name: one[name] for name in one if name != "$ref"}}
    kinds = [kind for kind in one.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        one = {**_plain(kinds[0], schema), **{name: one[name] for name in one if name != "anyOf"}}
    return one


def _type(one: dict[str, Any], schema: dict[str, Any]) -> str:
    one = _plain(one, schema)
    if "anyOf" in one:
        return " or ".join(_type(kind, schema) for kind in one["anyOf"] if kind.get("type") != "null")
    if "enum" in one:
        return " / ".join(f"`{value}`" for value in one["enum"])
    if one.get("type") == "array":
        return f"list of {_type(one.get('items', {}), schema)}"
    if one.get("type") == "object" and one.get("properties"):
        return "{" + ", ".join(f"`{name}`" for name in one["properties"]) + "}"
    return str(one.get("type", "any"))


def _notes(one: dict[str, Any]) -> str:
    said = [one["description"]] if "description" in one else []
    said += [words.format(one[limit]) for limit, words in LIMITS.items() if limit in one]
    if one.get("default") is not None:
        said.append(f"default `{one['default']}`")
    return "; ".join(said).replace("|", "\\|").replace("\n", " ")


def _commands() -> Iterator[str]:
    yield HEAD + "# Commands\n"
    yield "Each has `--help`; those that answer have `--json`. Wrong use ends with status 2, a failure with 1.\n"
    program = typer.main.get_command(build(COMMANDS))
    yield from _command("localfirst", program, 2)


def _command(path: str, command: Any, level: int) -> Iterator[str]:
    if command.hidden:
        return
    if hasattr(command, "list_commands"):
        if path != "localfirst":
            yield f"{'#' * level} {path}\n"
            yield f"{_words(command.help)}\n"
        context = command.make_context(path, [], resilient_parsing=True)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            yield from _command(f"{path} {name}", inner, level if path == "localfirst" else level + 1)
        return
    yield f"{'#' * level} {path}\n"
    yield f"{_words(command.help)}\n"
    rows = [_parameter(one) for one in command.params if one.name != "help" and not getattr(one, "hidden", False)]
    if rows:
        yield "| | |"
        yield "| --- | --- |"
        yield from rows
        yield ""


def _parameter(one: Any) -> str:
    if one.param_type_name == "argument":
        name = one.name.upper()
        text = name if one.required else f"[{name}]"
        return f"| `{text}{'…' if one.nargs == -1 else ''}` | {_words(getattr(one, 'help', '') or '')} |"
    names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
    return f"| {names}{' …' if one.multiple else ''} | {_words(one.help)} |"


def _words(text: str | None) -> str:
    return " ".join((text or "").replace("\f", " ").split()).replace("|", "\\|")


def main() -> None:
    """Writes the pages, and removes no other ones."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in pages().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
