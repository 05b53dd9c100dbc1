"""The status file's text, from the store."""

from __future__ import annotations

from localfirst.session import Session


def status_text(session: Session) -> str:
    """The whole project as a status file."""
    from localfirst.markdown.store import document_of  # parsing YAML is not needed before somebody asks
    from localfirst.markdown.write import render

    return render(document_of(session.replica))
