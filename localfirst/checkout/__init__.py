"""The files of a checkout: the only way in which this program reads and writes what stands in a working tree.

A checkout is believed to have content, never to give orders. So a file of it is a regular one that lies inside the root after
all links are resolved, of a limited size, and opening it waits for nobody.

descent   from a root to the folder that holds a file, link by link
file      reads, writes and renames a file there
"""

from __future__ import annotations

from localfirst.checkout.descent import OutsideError
from localfirst.checkout.file import (
    CheckoutFile,
    NotAFileError,
    State,
    TooLargeError,
    file_named_by_user,
    file_of_checkout,
    read_unlinked,
)

__all__ = [
    "CheckoutFile",
    "NotAFileError",
    "OutsideError",
    "State",
    "TooLargeError",
    "file_named_by_user",
    "file_of_checkout",
    "read_unlinked",
]
