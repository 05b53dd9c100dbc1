"""The program as it is installed, with one PostgreSQL: laptops, clients, kills, restores; `stress` is all of it at once."""
