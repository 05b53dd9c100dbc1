"""What a checkout's settings file says, and what is in force, for the person who is to decide. Secrets are not repeated."""

from __future__ import annotations

from typing import NamedTuple

from localfirst.settings.displayed import displayed
from localfirst.settings.load import Sources, resolve
from localfirst.settings.origin import KEYS, Origin, chosen, never_in_a_checkout
from localfirst.settings.settings import Settings


class InFile(NamedTuple):
    """One setting of the checkout's file: whether it counts now, whether it would if the file were allowed, and why not."""

    name: str
    value: str
    counts: bool
    would_count: bool
    why: str | None


class InForce(NamedTuple):
    """One setting that is in force, and who said it."""

    name: str
    value: str
    origin: str


def in_file(sources: Sources) -> list[InFile]:
    """Every setting of the checkout's file, in its order."""
    if sources.checkout is None:
        return []
    values = sources.checkout.values
    nearer = {name for origin in (Origin.ENVIRONMENT, Origin.OWN) for name, value in sources.said[origin].items() if value}
    now = resolve(sources).untrusted
    user = {origin: sources.said[origin] for origin in (Origin.ENVIRONMENT, Origin.OWN)}
    allowed = resolve(sources._replace(said={**user, Origin.ALLOWED: values})).untrusted
    return [
        InFile(
            name,
            displayed(name, value),
            name not in now,
            name not in allowed,
            _why(name, name in now, name in allowed, name in nearer),
        )
        for name, value in values.items()
    ]


def in_force(sources: Sources) -> list[InForce]:
    """Every setting that somebody said and that counts, and the project's name wherever it comes from."""
    found, _ = chosen(sources.said)
    settings: Settings = resolve(sources)
    listed = [
        InForce(name, displayed(name, found[name].value), str(found[name].origin))
        for name in KEYS
        if name in found and name not in settings.untrusted
    ]
    if settings.project is not None and all(one.name != "project" for one in listed):
        listed.append(InForce("project", settings.project, "git remote"))
    return listed


def _why(name: str, is_ignored: bool, is_ignored_if_allowed: bool, is_said_nearer: bool) -> str | None:
    if never_in_a_checkout(name):
        return "no file of a checkout may say it"
    if name == "markdown" and is_ignored_if_allowed:
        return "it leads out of the project"
    if is_ignored:
        return "the file is not allowed"
    return "your environment or your own configuration says it" if is_said_nearer else None
