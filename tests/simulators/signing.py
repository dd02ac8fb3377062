"""People who sign what they commit, with keys of every state."""

from __future__ import annotations

from collections.abc import Sequence

from simulators.gnupg import Home
from simulators.repositories import Repository


def git_signs(repository: Repository, gnupg: Home, *words: str, gpg: Sequence[str] = ()) -> None:
    """Run git in a repository, with a gpg that has these keys and options."""
    program = repository.path.parent / "gpg"
    options = " ".join(["--batch", *gpg])
    program.write_text(f'#!/bin/sh\nexec gpg --homedir {gnupg.path} {options} "$@"\n')
    program.chmod(0o755)
    repository.git("-c", f"gpg.program={program}", *words)


def commit_signed(
    repository: Repository, gnupg: Home, who: str, name: str, *, gpg: Sequence[str] = ()
) -> str:
    """Commit one file, signed; give the commit."""
    (repository.path / name).write_text(name)
    repository.git("add", "--all", ".")
    words = ("commit", "--quiet", "--message", name, f"--gpg-sign={who}")
    git_signs(repository, gnupg, *words, gpg=gpg)
    return repository.head
