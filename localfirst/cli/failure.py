"""How a command fails: one sentence on standard error, or the contract's error as JSON on standard output.

Exit status: 1 where the command could not be done, 2 where it was called wrongly, 130 where a person interrupted it.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

import typer
from localfirst_schema.errors import LocalfirstError, UnavailableError, ValidationError

from localfirst.disk import in_words

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

logger = logging.getLogger("localfirst")


def wants_json(arguments: list[str]) -> bool:
    """Whether the caller is a program: `--json` is among the options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def report(error: BaseException, *, as_json: bool) -> int:
    """Tells what went wrong and returns the exit status. An error that nobody foresaw goes to the log with its traceback."""
    if isinstance(error, SystemExit):
        return flushed(error.code if isinstance(error.code, int) else FAILED)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _forget_output()
        return FAILED
    if flushed(0) != 0:
        return FAILED
    try:
        return _tell(error, as_json=as_json)
    except OSError:
        return flushed(FAILED)  # it is the telling that failed


def _tell(error: BaseException, *, as_json: bool) -> int:
    if isinstance(error, typer.TyperException):
        _tell_misuse(error, as_json=as_json)
        return error.exit_code
    if not isinstance(error, LocalfirstError):
        error = _unforeseen(error)
    elif error.__cause__ is not None:
        logger.warning("%s", error.message, exc_info=error.__cause__)
    if as_json:
        _print_json(error)
    else:
        _print_sentence(error)
    return FAILED


def flushed(status: int) -> int:
    """The exit status, once standard output has taken all that was written; if it cannot, that is said and is the failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return FAILED
    except OSError as error:
        _forget_output()
        with suppress(OSError):
            sys.stderr.write(f"Error: standard output cannot be written: {in_words(error)}.\n")
        return FAILED
    return status


def _tell_misuse(error: typer.TyperException, *, as_json: bool) -> None:
    sentence = error.format_message().strip()
    if sentence and sentence[-1] not in ".?!)":
        sentence += "."
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and not as_json:
        # The help has been printed: it is what such an error is made of.
        sys.stderr.write(f"{sentence}\n" if sentence else "")
        return
    path = context.command_path if context is not None else "localfirst"
    if as_json:
        _print_json(ValidationError("arguments", sentence, f"{sentence} See `{path} --help`."))
    else:
        sys.stderr.write(f"Error: {sentence}\nSee `{path} --help`.\n")


def _unforeseen(error: BaseException) -> LocalfirstError:
    from localfirst.log import log_path

    logger.error("the command failed", exc_info=error)
    return UnavailableError(f"localfirst met an error that it cannot explain; see the log at {log_path()}.", cause="internal")


def _print_json(error: LocalfirstError) -> None:
    import msgspec

    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(error.as_dict(), enc_hook=str) + b"\n")
    sys.stdout.buffer.flush()


def _print_sentence(error: LocalfirstError) -> None:
    from localfirst import terminal
    from localfirst.cli import wording

    terminal.complain(wording.for_a_person(error.message))


def _forget_output() -> None:
    """The reader has gone: nothing more is to be written, not even by the interpreter's last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
