"""Settings by origin, and secrets."""
