"""A store in a person's folder: read, changed, one commit a change, shared with others."""
