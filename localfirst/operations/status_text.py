"""The status file's text, from the store."""

from __future__ import annotations

from localfirst.client.ports import Reader


def status_text(session: Reader) -> str:
    """The whole project as a status file."""
    from localfirst.markdown.store import document_of  # parsing YAML is not needed before somebody asks
    from localfirst.markdown.write import render

    return render(document_of(session.replica))
