"""`localfirst serve`: the daemon beside PostgreSQL, for laptops that have a token and no database address."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from localfirst_schema.errors import UnavailableError, ValidationError

from localfirst import settings, terminal
from localfirst.cli import options
from localfirst.cli.command import print_json
from localfirst.log import log_to_stderr

PORT = 8377


def serve(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one.")] = PORT,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Its certificate, as PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key, as PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy ends TLS before it: believe the headers that it forwards.")
    ] = False,
    requests_per_second: Annotated[
        float, typer.Option("--requests-per-second", metavar="N", min=1, help="How much one token may ask for.")
    ] = 500,
    as_json: options.AsJson = False,
) -> None:
    """Serve laptops beside PostgreSQL (LOCALFIRST_DATABASE_URL), until SIGTERM."""
    if (tls_cert is None) != (tls_key is None):
        raise ValidationError("options", "give --tls-cert and --tls-key together")
    for name, file in (("--tls-cert", tls_cert), ("--tls-key", tls_key)):
        if file is not None and not file.is_file():
            raise ValidationError(name, "must be a file that is there")
    log_to_stderr()
    url = settings.load_of_server().database_url
    if url is None:
        raise ValidationError("LOCALFIRST_DATABASE_URL", "names no PostgreSQL to serve; set it to its connection string")
    from localfirst_sync.daemon.place import Place
    from localfirst_sync.daemon.serve import serve

    def tell(address: str) -> None:
        if as_json:
            print_json({"url": address})
        else:
            terminal.say(f"localfirst serves at {address}")
            terminal.out().file.flush()

    cert, key = (None if file is None else str(file) for file in (tls_cert, tls_key))
    metrics_token = os.environ.get("LOCALFIRST_METRICS_TOKEN") or None
    place = Place(host, port, cert, key, behind_proxy, requests_per_second, metrics_token)
    try:
        serve(url, place, tell)
    except OSError as error:
        raise UnavailableError(
            f"It cannot listen at {host}:{port} ({error.strerror or type(error).__name__}).", cause="settings"
        ) from None
    logging.getLogger("localfirst.daemon").info("it has ended")


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("serve")(serve)
