"""Why a secret is where it is, or is not: a delivery without effect, looked at link by link."""
