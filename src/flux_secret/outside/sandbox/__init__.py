"""Confining programs that we did not choose; the supervisor imports single modules of it."""
