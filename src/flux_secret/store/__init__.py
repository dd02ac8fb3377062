"""SecretPath ⇄ Plaintext: gopass and pass stores, read at one pinned commit."""
