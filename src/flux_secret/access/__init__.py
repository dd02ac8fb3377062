"""Recipients, owners, references and rights → who can come to which value, and why; pure."""
