"""Which files of a working tree belong to the index, and why others do not.

git_tree   the files as git sees them
walk       the files of a tree that git does not know
ignore     nested .gitignore and .localfirstignore
rules      what a file's name says
scan       all of it, with one stat per file; content is never read
"""

from __future__ import annotations

from localfirst.code_index.scan.scan import Scan, ScanStoppedError, scan

__all__ = ["Scan", "ScanStoppedError", "scan"]
