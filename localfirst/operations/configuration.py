"""The project's configuration: one row, there from the beginning."""

from __future__ import annotations

from typing import Any

from localfirst_schema.arguments import Nothing, UpdateProjectConfiguration
from localfirst_schema.entities import CONFIGURATION, WORK_ITEM
from localfirst_schema.errors import NotFoundError
from localfirst_schema.identifiers import natural_id
from localfirst_schema.results import ConfigurationRead, ConfigurationWritten

from localfirst.client.ports import Reader, Writer
from localfirst.client.where import place
from localfirst.operations.changing import (
    catch_up_with,
    check_version,
    refuse_null,
    require,
    require_some,
    require_still,
    written,
)
from localfirst.operations.operation import Operation
from localfirst.operations.present import present
from localfirst.replica.rows import find

_FIELDS = ("active_context_type", "current_session_id", "git_branch", "git_head_commit", "default_token_budget")
_UNKNOWN_HEALTH = {"database_healthy": None, "last_health_check_at": None}


def _id(session: Reader) -> str:
    return natural_id(session.project_id, CONFIGURATION.name, "singleton")


def _health(session: Reader) -> dict[str, Any]:
    """How the server was when this client last looked; it differs from client to client, so it is not stored."""
    if session.link is None:
        return _UNKNOWN_HEALTH
    return {"database_healthy": session.link.is_online(), "last_health_check_at": session.link.last_check_at()}


def get(session: Reader, arguments: Nothing) -> dict[str, Any]:
    """The configuration."""
    source = session.read(_id(session))
    where = place(session.settings, session.replica)
    return present(CONFIGURATION, require(session, CONFIGURATION, _id(session))) | where | _health(session) | source


def update(session: Writer, arguments: UpdateProjectConfiguration) -> dict[str, Any]:
    """Changes the configuration from the version that the caller read."""
    changes = arguments.given(*_FIELDS)
    require_some(changes, *_FIELDS, "clear")
    refuse_null(changes, "active_context_type", "default_token_budget")
    catch_up_with(session, CONFIGURATION, _id(session), arguments.version)
    with session.act(arguments.updated_by) as act:
        row = require_still(act, CONFIGURATION, _id(session))
        check_version(CONFIGURATION, row, arguments.version)
        current = changes.get("current_session_id")
        if current is not None:
            item = find(act.connection, WORK_ITEM, current)
            if item is None or item["item_type"] != "session":
                raise NotFoundError(f"there is no session {current} in this project.", entity="work_item", id=current)
        row = act.change(CONFIGURATION, row, changes)
        act.answer = present(CONFIGURATION, row) | _UNKNOWN_HEALTH
    return written(session, CONFIGURATION, row) | _health(session)


OPERATIONS = (
    Operation(
        "get_project_configuration",
        "Project configuration",
        "The active context, current session, branch, head commit and token budget, and whether the database is healthy.",
        Nothing,
        ConfigurationRead,
        get,
        "read",
        idempotent=True,
        groups=("project",),
        of_replica_alone=True,
    ),
    Operation(
        "update_project_configuration",
        "Update the project configuration",
        "Changes the project's configuration. Send the `version` that you read.",
        UpdateProjectConfiguration,
        ConfigurationWritten,
        update,
        "update",
        groups=("project",),
    ),
)
