"""Finding work items by their words and their meaning."""
