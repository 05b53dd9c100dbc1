"""The entities, both stores and the arguments' rules say the same, fresh and migrated."""
