"""What a row, a change and an error are: entities, wire format, and the SQL of both stores."""
