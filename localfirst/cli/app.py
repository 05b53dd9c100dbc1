"""The program's commands, by name, and its way in.

A command stands in the module that `COMMANDS` names; it has a function `register(app)`. Only the module of the command that
is run is loaded: a person waits for it. Whatever a command raises ends in `failure.report`, never as a traceback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from localfirst.cli import failure

COMMANDS: dict[str, str] = {
    "init": "localfirst.cli.commands.init",
    "mcp": "localfirst.cli.commands.mcp",
    "add": "localfirst.cli.commands.everyday",
    "done": "localfirst.cli.commands.everyday",
    "start": "localfirst.cli.commands.everyday",
    "edit": "localfirst.cli.commands.everyday",
    "ready": "localfirst.cli.commands.everyday",
    "show": "localfirst.cli.commands.everyday",
    "tree": "localfirst.cli.commands.everyday",
    "item": "localfirst.cli.commands.item",
    "vendor": "localfirst.cli.commands.vendor",
    "deployment": "localfirst.cli.commands.deployment",
    "enhancement": "localfirst.cli.commands.enhancement",
    "config": "localfirst.cli.commands.config",
    "status": "localfirst.cli.commands.status",
    "archive": "localfirst.cli.commands.archive",
    "undo": "localfirst.cli.commands.undo",
    "prime": "localfirst.cli.commands.prime",
    "sync": "localfirst.cli.commands.sync",
    "conflicts": "localfirst.cli.commands.conflicts",
    "index": "localfirst.cli.commands.index",
    "search": "localfirst.cli.commands.search",
    "jobs": "localfirst.cli.commands.jobs",
    "export": "localfirst.cli.commands.export",
    "login": "localfirst.cli.commands.login",
    "server": "localfirst.cli.commands.server",
    "serve": "localfirst.cli.commands.serve",
    "token": "localfirst.cli.commands.token",
    "doctor": "localfirst.cli.commands.doctor",
    "trust": "localfirst.cli.commands.trust",
    "backup": "localfirst.cli.commands.backup",
    "restore": "localfirst.cli.commands.restore",
    "import": "localfirst.cli.commands.import_replica",
    "migrate": "localfirst.cli.commands.migrate",
    "demo": "localfirst.cli.commands.demo",
}
"""Commands in the order of `--help`, and the modules that hold them."""


class _Program(TyperGroup):
    """Lists the commands in the order of `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands that are loaded."""
        return [name for name in COMMANDS if name in self.commands]


def run() -> None:
    """Runs the command that the arguments name, and exits with its status."""
    arguments = sys.argv[1:]
    _prepare_streams()
    try:
        if arguments == ["--version"]:
            _show_version(True)
        command = typer.main.get_command(build(_needed(arguments)))
        status = command.main(arguments, prog_name="localfirst", standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as exit_:
        sys.exit(failure.flushed(exit_.exit_code))
    except BaseException as error:  # noqa: BLE001 (whatever it is, a person gets a sentence and the log the rest)
        sys.exit(failure.report(error, as_json=failure.wants_json(arguments)))
    sys.exit(status if isinstance(status, int) else 0)


def build(names: Iterable[str]) -> typer.Typer:
    """The program with these commands."""
    app = typer.Typer(
        name="localfirst",
        cls=_Program,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_program)
    for module in dict.fromkeys(COMMANDS[name] for name in names):
        import_module(module).register(app)
    return app


def _needed(arguments: list[str]) -> Iterable[str]:
    """The command that is called; all of them for the program's own help, and to guess what a misspelt one was meant to be."""
    return (arguments[0],) if arguments and arguments[0] in COMMANDS else COMMANDS


def _show_version(wanted: bool) -> None:
    if wanted:
        from localfirst import __version__

        sys.stdout.write(f"localfirst {__version__}\n")
        raise SystemExit(0)


def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A project's work items, vendors and deployments: kept on this machine, shared through PostgreSQL."""


def _prepare_streams() -> None:
    """A character that the terminal does not know, or a log that cannot be written, is no reason to fail; no output is one."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as the program lives
    if sys.stdout is None:
        sys.stderr.write("Error: standard output is closed: let it lead to a terminal, a file or a program.\n")
        sys.exit(failure.FAILED)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logging.raiseExceptions = False
    logging.lastResort = None
