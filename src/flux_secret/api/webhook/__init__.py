"""A git host's call, untrusted → a hint to look for commits now."""
