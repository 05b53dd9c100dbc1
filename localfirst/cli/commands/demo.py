"""`localfirst demo`: the story of two laptops, played by the real thing."""

from __future__ import annotations

import typer
from localfirst_schema.errors import UnavailableError

from localfirst.cli import options
from localfirst.cli.command import print_json


def demo(as_json: options.AsJson = False) -> None:
    """Show two laptops and a real PostgreSQL, the cable pulled and plugged in again; takes everything away afterwards."""
    try:
        from rich.console import Console

        from localfirst.demo.story import DemoFailed, run_demo

        try:
            ended = run_demo(Console(highlight=False, quiet=as_json))
        except DemoFailed as failed:
            raise UnavailableError(f"the demo did not come out as it should: {failed}", cause="program") from None
    except ImportError as error:  # PostgreSQL's wheel is imported when it is started
        package = (error.name or str(error)).partition(".")[0]
        raise UnavailableError(f"the demo needs the package {package}; install localfirst[demo].", cause="program") from None
    if as_json:
        print_json(ended)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(demo)
