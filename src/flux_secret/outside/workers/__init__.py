"""A process for each piece of work that holds values: it ends with it, and so does every copy.

`Nursery` is the agent's side. Behind it runs a fork server with everything imported and the keys
loaded (`cradle`), which forks a worker for each job; they speak in `messages` (ADR 0018).
"""
