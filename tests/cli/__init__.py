"""The command line, run as a person and a script run it."""
