"""The tool contract, tested at the real server: over stdio, with no PostgreSQL, by clients that know nothing else."""
