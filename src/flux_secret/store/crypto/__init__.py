"""Ciphertext ⇄ plaintext, and who a ciphertext is for: OpenPGP and age."""
