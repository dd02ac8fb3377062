"""Recipients, owners, references, rights → who can come to a value, and what owners agreed to."""
