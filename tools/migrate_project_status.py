#!/usr/bin/env python3
"""Brings a status file into the project's store.

    .venv/bin/python tools/migrate_project_status.py PATH [--dry-run] [--json]

Settings as everywhere (LOCALFIRST_REPLICA, LOCALFIRST_PROJECT, …). Exit status 0 if all is in the store.
"""

from __future__ import annotations

import sys

from localfirst.migration.program import main

if __name__ == "__main__":
    sys.exit(main())
