"""HTTP requests → what the agent knows and does: Flux v1's API, metrics, a sync on request."""
