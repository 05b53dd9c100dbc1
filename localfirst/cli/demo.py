"""`localfirst demo`: the story of two laptops, told by the real thing."""

from __future__ import annotations

import typer
from localfirst_schema.errors import UnavailableError


def demo() -> None:
    """Show two laptops and a real PostgreSQL, the cable pulled and plugged in again; takes everything away afterwards."""
    try:
        from rich.console import Console

        from localfirst.demo.story import DemoFailed, run_demo
    except ImportError as error:
        raise UnavailableError(f"the demo needs the package {error.name}; install localfirst[demo].") from None
    try:
        run_demo(Console(highlight=False))
    except DemoFailed as failed:
        raise UnavailableError(f"the demo did not come out as it should: {failed}") from None


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(demo)
