"""Status files made by chance: hostile texts, and stores written and read again. Also programs, for long runs."""
