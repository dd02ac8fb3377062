"""Delivery → record."""
