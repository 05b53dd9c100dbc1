#!/usr/bin/env python3
"""Brings a status file into the project's store.

    .venv/bin/python tools/migrate_project_status.py PATH [--prompts DIR] [--dry-run] [--json]
    .venv/bin/python tools/migrate_project_status.py [PATH] --report [--json]

Reads all shapes of the file: the format's own, that of an older generator, and the one that is kept by hand with its session
prompts in files of their own. `--report` shows what the last migration has left in the store about itself. Settings as
everywhere (LOCALFIRST_REPLICA, LOCALFIRST_PROJECT, …). Exit status 0 if all is in the store.
"""

from __future__ import annotations

import sys

from localfirst.migration.program import main

if __name__ == "__main__":
    sys.exit(main())
