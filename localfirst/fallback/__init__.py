"""The layers below the replica: the history of the status file in git, merge commits, and the status file itself."""
