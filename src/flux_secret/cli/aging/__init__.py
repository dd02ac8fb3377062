"""How `age` writes what it found: a table, data, a calendar, metrics."""
