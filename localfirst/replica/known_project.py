"""The project as the replica's server knows it: its id, which was given once, and the name that it has now."""

from __future__ import annotations

import apsw

from localfirst.replica import bootstrap
from localfirst.replica.naming import make_ids_anew
from localfirst.replica.recovery.salvage import compare_everything


def take_project(connection: apsw.Connection, project_id: str, name: str) -> None:
    """The project has this id and this name on the server. Within a transaction.

    A name is only a name. With another id the ids that follow from it are made again, and a replica that had seen something of
    a server under its old one compares everything: the log under the new id is another one.
    """
    connection.execute("UPDATE replica SET project_name = ?", (name,))
    if connection.execute("SELECT project_id FROM replica").get == project_id:
        return
    connection.execute("UPDATE replica SET project_id = ?", (project_id,))
    make_ids_anew(connection)
    bootstrap.discard(connection)
    if connection.execute("SELECT cursor_seq > 0 OR pushed_seq > 0 OR acked_number > 0 FROM replica").get:
        connection.execute("UPDATE replica SET pushed_seq = 0, pushed_tag = 0")
        compare_everything(connection)
