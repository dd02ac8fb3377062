"""Bytes of a request → the object as the API server would store and show it."""
