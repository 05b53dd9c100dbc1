"""The sync engine: a pure decision core, push and pull, and the PostgreSQL side. It never imports the client."""
