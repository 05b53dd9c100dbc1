"""The command line: the operations for a person, in words and tables, and as JSON for a program."""
