"""The command line: one file a command, and how we speak."""
