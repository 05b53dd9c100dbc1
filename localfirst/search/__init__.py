"""Finding work items by their words and by their meaning.

`work_items.find` is the way in. Words come from the full-text rows (`text`), meaning from the vectors (`vector_store` on
disk, `matrix` in memory), and `ranking` makes one order of both. Nothing here is loaded before the first search.
"""
