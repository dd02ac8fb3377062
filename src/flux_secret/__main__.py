"""`python -m flux_secret` is the command line."""

from flux_secret.cli.main import run

run()
