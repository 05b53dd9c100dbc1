"""What can be done: every operation once, for the MCP server and the command line alike."""
