"""`localfirst demo`: two laptops and one PostgreSQL on this machine, with the cable pulled in between."""
