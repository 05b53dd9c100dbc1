"""A checkout that tries everything, opened by everything."""
