"""Decrypted bytes ⇄ a secret's parts, as gopass reads and writes them; pure."""
