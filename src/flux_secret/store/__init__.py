"""SecretPath ⇄ Plaintext: gopass and pass stores.

The agent reads them at one pinned commit (`reader`); people keep them in folders (`working`).
"""
