"""localfirst: a local-first sync engine for AI coding agents and the people beside them."""

__version__ = "0.1.0"
