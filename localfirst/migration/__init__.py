"""Brings a status file that was kept by hand, or written by an earlier system, into the store."""
