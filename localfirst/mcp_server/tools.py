"""The list of tools, made from the operations.

The schemas are made when a client first asks for them: some milliseconds for each tool, which the start does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from localfirst.operations.operation import Operation


def tool_table(operations: Iterable[Operation]) -> dict[str, Operation]:
    """The operations by name. Raises `ValueError` for two of one name, or for arguments that let unknown ones pass."""
    table: dict[str, Operation] = {}
    for operation in operations:
        if operation.name in table:
            raise ValueError(f"two operations are called {operation.name}")
        if operation.arguments.model_config.get("extra") != "forbid":
            raise ValueError(f"the arguments of {operation.name} must forbid extra ones (model_config)")
        table[operation.name] = operation
    return table


def tool_list(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """Each operation as an MCP tool definition."""
    return [
        {
            "name": operation.name,
            "title": operation.title,
            "description": operation.description,
            "inputSchema": _input_schema(operation.arguments),
            "outputSchema": _output_schema(operation.result),
            "annotations": _annotations(operation),
        }
        for operation in operations
    ]


def _annotations(operation: Operation) -> dict[str, bool]:
    reads = operation.effect == "read"
    return {
        "readOnlyHint": reads,
        # An update keeps what it replaces (every version stays in the history), so only `destroy` destroys; clients
        # ask their user before each call of a destructive tool.
        "destructiveHint": operation.effect == "destroy",
        "idempotentHint": reads or operation.idempotent,
        "openWorldHint": False,
    }


def _input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of arguments. Nulls are taken as absence and offered nowhere: that keeps the schemas short, and simple
    clients, which turn text into the one type that they read, working."""
    schema = model.model_json_schema(schema_generator=_InputSchema)
    # The class's name and docstring are for programmers; the tool has a title and a description.
    schema.pop("title", None)
    schema.pop("description", None)
    if (definitions := schema.pop("$defs", None)) is not None:  # many clients do not follow references
        schema = _without_references(schema, definitions)
    # A model without fields has none, and clients look for it.
    schema.setdefault("properties", {})
    schema = dict(_slim(schema))
    former: dict[str, str] = getattr(model, "former", {})
    for name, now in former.items():
        # One of the two is asked for, which the schemas that all clients understand cannot say.
        schema["properties"][name] = {**schema["properties"][now], "description": f"the same as {now}"}
        schema["required"] = [required for required in schema.get("required", ()) if required != now]
    return schema


_REPORTED_BY_ERRORS = frozenset({"additionalProperties", "minLength", "maxLength", "minimum", "minItems", "maxItems"})
"""Rules that a model keeps to without a limit given, and that an error names: they would be paid for in every context."""

LARGE = 1_000_000


def _slim(part: Any, *, of_properties: bool = False) -> Any:
    """A schema without what says little: rules that only errors need, bounds out of reach, the type of an enumeration."""
    if isinstance(part, list):
        return [_slim(one) for one in part]
    if not isinstance(part, dict):
        return part
    if of_properties:
        return {name: _slim(one) for name, one in part.items()}
    kept = {name: value for name, value in part.items() if name not in _REPORTED_BY_ERRORS}
    if (hint := kept.pop("x-in-words", None)) is not None:  # what it holds is said, not spelled out
        return {
            "type": "array",
            "items": {"type": hint},
            **({"description": kept["description"]} if "description" in kept else {}),
        }
    if kept.get("maximum", 0) > LARGE:
        del kept["maximum"]
    if "enum" in kept or "format" in kept:
        kept.pop("type", None)
    if kept.get("default") is False:
        del kept["default"]  # what a flag is that nobody sets
    return {name: _slim(value, of_properties=name == "properties") for name, value in kept.items()}


def _without_references(part: Any, definitions: dict[str, Any]) -> Any:
    """A schema with what it refers to in the places of the references; a definition's title and text are for programmers."""
    if isinstance(part, list):
        return [_without_references(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        found = definitions[part["$ref"].removeprefix("#/$defs/")]
        return _without_references(
            {name: value for name, value in found.items() if name not in ("title", "description")}, definitions
        )
    return {name: _without_references(value, definitions) for name, value in part.items()}


def _output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The names of a result's fields.

    No more than the names: each schema is paid for in a model's context, and clients check every answer against it, some of
    them also the structured content of an error, which therefore agrees with it.
    """
    return {"type": "object", "properties": {field.alias or name: {} for name, field in model.model_fields.items()}}


class _InputSchema(GenerateJsonSchema):
    """Leaves out the titles that repeat the fields' names: a third of the schemas, paid for in a model's context.

    What may be null is displayed as what it is otherwise.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> Any:
        with_default = super().default_schema(schema)
        if with_default.get("default", 0) in (None, []):
            del with_default["default"]
        return with_default

    def nullable_schema(self, schema: Any) -> Any:
        return self.generate_inner(schema["schema"])
