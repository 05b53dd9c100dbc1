"""What this PostgreSQL user may not do that localfirst needs, each with the statement that helps; and who owns the schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from localfirst_schema.errors import UnavailableError

from localfirst.cli.finding import Finding

if TYPE_CHECKING:
    from localfirst_sync.postgres.connection import Connection
    from localfirst_sync.postgres.rights import Lack

NAMED = 6
"""So many tables are named one by one; of more, the statement names them."""


def findings(connection: Connection) -> Iterator[Finding]:
    """What there is to say of the rights."""
    from localfirst_sync.postgres import rights

    try:
        stands = rights.standing(connection)
    except UnavailableError as error:
        yield Finding("rights", "warning", f"they could not be asked for: {error.message}")
        return
    if connection.pooled:
        words = "before PostgreSQL: statements are sent unnamed, and the server is asked every second, since no notice arrives"
        yield Finding("transaction pooler", "ok", words)
    level: Literal["warning", "broken"] = "warning" if _reads_alone(stands.lacks) else "broken"
    if level == "warning":
        yield Finding("rights", level, f"{stands.user} may read and not write: changes made here are refused")
    for lack in stands.lacks:
        of = lack.of.split(", ")
        named = lack.of if len(of) <= NAMED else f"{', '.join(of[:NAMED])} and {len(of) - NAMED} more"
        if lack.right == "TEMPORARY":
            words = f"{stands.user} lacks {lack.right} on {named}, so large batches take longer: {lack.statement}"
            yield Finding("rights", "warning", words)
        else:
            yield Finding("rights", level, f"{stands.user} lacks {lack.right} on {named}: {lack.statement}")
    if stands.lacks and stands.owner is not None:
        words = f"all of them at once, by a member of {stands.owner.name}: localfirst server grant {stands.user}"
        yield Finding("rights", "warning", words)
    if stands.owner is None:
        return
    owner = stands.owner
    if owner.is_superuser:
        words = (
            f"the schema `localfirst` belongs to {owner.name}, a superuser, with whose rights its triggers run."
            f" `localfirst server migrate` by a role that may create roles gives it to {rights.OWNER}, unless a role of that"
            " name is not what it should be (it must not log in, have no attribute, and no member but administrators)"
        )
        yield Finding("rights", "warning", words)
    elif owner.can_log_in:
        words = (
            f"the schema `localfirst` belongs to {owner.name}, who migrated it and could not make the role {rights.OWNER};"
            " `localfirst server migrate` by a role that may create roles gives it to that one"
        )
        yield Finding("rights", "ok", words)
    elif not stands.lacks:
        yield Finding("rights", "ok", f"{stands.user} has what it needs; the schema belongs to {owner.name}")


def _reads_alone(lacks: Sequence[Lack]) -> bool:
    """Whether somebody has made this user a reader: nothing of reading is missing, and writing rows is."""
    writes = any("INSERT" in lack.right and "localfirst.work_items" in lack.of.split(", ") for lack in lacks)
    return writes and not any("SELECT" in lack.right or lack.right in ("USAGE", "CREATE") for lack in lacks)
