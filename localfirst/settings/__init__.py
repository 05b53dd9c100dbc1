"""The settings of one project, and who may say them.

    origin       who said a value, and what that origin may say
    value        what a value may look like, whoever said it
    file         a settings file, read with bounds
    trust        which files of checkouts the user has allowed, as they were
    place        where a replica stands
    login        the tokens for daemons that the user keeps
    load         all of it together
    describe     what a file would set and what is in force, for people

A new setting gets its name and its origins in `origin`, its rule in `value`, and a field in `settings`.
"""

from localfirst.settings.file import FILE_NAME
from localfirst.settings.load import load, load_of_server, own_file
from localfirst.settings.origin import KEYS
from localfirst.settings.settings import Settings

__all__ = ["FILE_NAME", "KEYS", "Settings", "load", "load_of_server", "own_file"]
