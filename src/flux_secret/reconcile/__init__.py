"""When and how often: deliver one target, sweep what deliveries left behind, the agent's loop."""
