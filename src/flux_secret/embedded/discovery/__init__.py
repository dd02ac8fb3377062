"""What a client is told of the kinds there are: discovery and OpenAPI."""
