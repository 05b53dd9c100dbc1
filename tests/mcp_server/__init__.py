"""Tests of the MCP server, over real pipes and in both eras of the protocol."""
