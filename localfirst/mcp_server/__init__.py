"""The MCP server over stdio. `process.run` is its entry; nothing is imported here, because the SDK is slow to import."""
