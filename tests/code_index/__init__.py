"""The code index, stage by stage: what is scanned, cut, stored, found; and what is left when any of it is killed."""
