"""Running programs that we did not choose, so that nothing of them is left (ADR 0006).

`Supervisors` is our side. Behind it runs a fork server, a small process that knows nothing of ours;
it forks a supervisor for each command, which starts the command, watches it and ends it.
"""
