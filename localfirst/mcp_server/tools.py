"""The list of tools, made from the operations.

The schemas are made when a client first asks for them: some milliseconds for each tool, which the start does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

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
            "outputSchema": _or_error(_schema(operation.result, "serialization")),
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


def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    schema = model.model_json_schema(mode=mode, schema_generator=_InputSchema if mode == "validation" else _OutputSchema)
    # The class's name and docstring are for programmers; the tool has a title and a description.
    schema.pop("title", None)
    schema.pop("description", None)
    # A model without fields has none, and clients look for it.
    schema.setdefault("properties", {})
    return schema


def _input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of arguments. Nulls are taken as absence and offered nowhere: that keeps the schemas short, and simple
    clients, which turn text into the one type that they read, working."""
    schema = _schema(model, "validation")
    former: dict[str, str] = getattr(model, "former", {})
    for name, now in former.items():
        # One of the two is asked for, which the schemas that all clients understand cannot say.
        schema["properties"][name] = {**schema["properties"][now], "description": f"the same as {now}"}
        schema["required"] = [required for required in schema.get("required", ()) if required != now]
    return schema


def _or_error(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a result, or of an error: some clients hold the structured content of an error to it too."""
    required = schema.pop("required", [])
    properties = {**_ERROR_PROPERTIES, **schema["properties"]}
    return {**schema, "properties": properties, "anyOf": [{"required": required}, {"required": list(_ERROR_PROPERTIES)}]}


_ERROR_PROPERTIES = {"error": {"type": "string"}, "message": {"type": "string"}, "details": {"type": "object"}}


class _Schema(GenerateJsonSchema):
    """Leaves out the titles that repeat the fields' names: a third of the schemas, paid for in a model's context."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> Any:
        with_default = super().default_schema(schema)
        if with_default.get("default", 0) in (None, []):
            del with_default["default"]
        return with_default


class _InputSchema(_Schema):
    """What may be null is shown as what it is otherwise."""

    def nullable_schema(self, schema: Any) -> Any:
        return self.generate_inner(schema["schema"])


class _OutputSchema(_Schema):
    """Of what may be null the name alone is shown: a type would refuse the null, and a null is offered nowhere."""

    def nullable_schema(self, schema: Any) -> Any:
        return {}
