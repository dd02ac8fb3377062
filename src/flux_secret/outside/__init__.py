"""The doors: the only code that meets processes, git, Kubernetes, files and clocks."""
