"""Whether the store says what an entry of the file says, field by field, for the fields that the format has words for."""

from __future__ import annotations

from unicodedata import normalize

from localfirst_schema.wire import Row

from localfirst.markdown.comment import same
from localfirst.markdown.document import Deployment, Enhancement, Session, Vendor
from localfirst.markdown.enhancement import PRIORITIES, read_quarter
from localfirst.markdown.stored.as_written import fitting_title
from localfirst.markdown.stored.deployment import moment_of
from localfirst.markdown.stored.enhancement import TITLE_LIMIT, enhancement_of
from localfirst.markdown.stored.session import session_of
from localfirst.markdown.stored.vendor import vendor_of

VENDOR_FIELDS = ("operational_status", "test_results", "format_support", "version")


def vendor_agreement(said: Vendor, row: Row) -> tuple[bool, bool, bool, bool]:
    """For each of `VENDOR_FIELDS`, whether it is stored as said; a field of which the line says nothing is."""
    stored = vendor_of(row)
    word = said.status_text if said.operational is None else None
    return (
        said.operational == stored.operational and word == stored.status_text,
        said.test_results is None or same(said.test_results, stored.test_results),
        said.format_support is None or same(said.format_support, stored.format_support),
        said.extractor_version is None or said.extractor_version == stored.extractor_version,
    )


def deployment_agrees(said: Deployment, stored: Deployment, deployed_at: str) -> bool:
    """Whether a deployment is stored as said: moment, PR, title, commit, vendors, tests, compliance."""
    moment = moment_of(said)
    commit = said.commit_hash
    return (
        (moment == deployed_at or moment is None)
        and said.pr_number == stored.pr_number
        and said.pr_title == stored.pr_title
        and (commit if commit is None or len(commit) != 40 else commit.lower()) == stored.commit_hash
        and {normalize("NFC", name) for name in said.vendor_names} == {normalize("NFC", name) for name in stored.vendor_names}
        and same(said.tests, stored.tests)
        and said.constitutional_compliance == stored.constitutional_compliance
    )


def enhancement_agrees(said: Enhancement, row: Row) -> bool:
    """Whether title, priority and quarter are stored as said, as far as the columns can hold them."""
    stored = enhancement_of(row)
    quarter = read_quarter(said.target_quarter) if said.target_quarter else None
    return (
        stored.title == fitting_title(said.title, TITLE_LIMIT)
        and (stored.priority == said.priority or said.priority not in PRIORITIES)
        and stored.target_quarter == quarter
    )


def session_agrees(said: Session, row: Row) -> bool:
    """Whether the date and every character of the prompt, and of malformed front matter, are stored; values as said."""
    stored = session_of(row)
    without_version = (_without_version(said), _without_version(stored))
    return (
        said.date == stored.date
        and said.prompt == stored.prompt
        and said.malformed_text == stored.malformed_text
        and same(*without_version)
    )


def _without_version(session: Session) -> dict[str, object] | None:
    """The front matter but for `schema_version`, which is stored as text whatever it looks like."""
    if session.front_matter is None:
        return None
    return {key: value for key, value in session.front_matter.items() if not key.startswith("schema_version")}
