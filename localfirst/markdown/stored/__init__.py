"""Between the entries of a status file and the rows of the store: one file per kind, both directions side by side."""
