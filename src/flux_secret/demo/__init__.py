"""The whole walkthrough in a temporary place."""
