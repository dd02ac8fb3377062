"""Bundle → ChangeSet: what to create, change, leave and remove, and doing it."""
