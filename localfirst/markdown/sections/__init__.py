"""A status file's sections: lines go in, entries come out, and what nobody could read stays with its place.

`page` holds the lines while they are read, and keeps those that no entry was read from. Each other file reads one section.
"""
