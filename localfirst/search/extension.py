"""Loading sqlite-vec into a connection that needs it, by its path: importing the package would import numpy's helpers too."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import apsw
from localfirst_schema.errors import UnavailableError


def ensure_loaded(connection: apsw.Connection) -> None:
    """Loads the extension once. Raises UnavailableError where it cannot be loaded."""
    if _is_loaded(connection):
        return
    spec = find_spec("sqlite_vec")
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError("the vector extension is not installed; reinstall sqlite-vec.", cause="program")
    connection.enable_load_extension(True)
    try:
        connection.load_extension(str(Path(spec.submodule_search_locations[0]) / "vec0"))
    except apsw.Error as error:
        raise UnavailableError(
            f"the vector extension cannot be loaded ({error}); reinstall sqlite-vec.", cause="program"
        ) from error
    finally:
        connection.enable_load_extension(False)


def _is_loaded(connection: apsw.Connection) -> bool:
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM pragma_module_list WHERE name = 'vec0')").get)
