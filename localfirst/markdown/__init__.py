"""The status file, `.project_status.md`: a text that people edit, read into entries and written back without losing a line.

source, outline        lines, and which of them belong to which section
parse                  text → `document`; `sections` read their entries, everything else is kept word for word
vendor, deployment, …  one entry in each of its shapes: lines, labelled blocks, rows of tables; and written again
write                  `document` → text
update                 a text with what a store says put into it, verified before it takes the file's place
stored, store          entries ↔ rows of the store
mirror                 the file kept level with the replica while the server is away
"""
