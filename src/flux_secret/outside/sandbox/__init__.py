"""Confining programs that we did not choose."""
