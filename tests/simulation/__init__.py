"""A deterministic simulation of the sync engine: real replicas, the engine's own server side, and everything that goes wrong.

Run it with `python -m simulation` (see docs/testing.md). One seed is one run, exactly.
"""
