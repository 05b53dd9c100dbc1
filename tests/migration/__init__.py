"""Status files brought into the store: all of it or nothing, in every shape, with an account of every line."""
