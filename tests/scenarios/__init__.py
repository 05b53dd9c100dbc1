"""Whole features, as a client of the MCP server lives them."""
