"""The replica: one SQLite file that holds a project's rows, their history, the outbox and the full-text index."""
