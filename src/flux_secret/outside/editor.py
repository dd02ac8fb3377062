"""A text → what a person makes of it in their editor; it lies in memory only, and is wiped.

The file's folder is removed however the editing ends. A small process of its own waits for our end
and removes it then, so that not even a `kill -9` leaves it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.files import memory_directory, remove_stale_scratch, scratch
from flux_secret.outside.keeper import kept

# no swap file, backup, undo file or history beside the text, or in the home directory
_QUIET: Final = {
    "vim": ("-n", "-i", "NONE", "--cmd", "set nobackup nowritebackup noundofile"),
    "nvim": ("-n", "-i", "NONE", "--cmd", "set nobackup nowritebackup noundofile"),
    "vi": ("-n",),
    "nano": ("--nohelp", "--ignorercfiles"),
}


def edit(text: Plaintext, name: str, editor: str, env: Mapping[str, str]) -> Plaintext:
    """Let a person edit a text in the foreground; give what they saved.

    Raises `ConfigurationError` when the editor cannot be started or ends with an error; the text
    is then as it was.
    """
    if memory_directory() is None:
        raise ConfigurationError(
            "there is no folder in memory here, and a secret is not written to a disk",
            remedy="change it through a pipe: flux-secret store insert --force ENTRY < …",
        )
    remove_stale_scratch()
    with scratch("edit") as place, kept(place):
        file = place / f"{Path(name).name}.txt"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text.reveal())
        _run([*_words(editor), str(file)], env)
        edited = file.read_bytes()
        file.write_bytes(b"\0" * len(edited))  # memory is given back as zeros
        return Plaintext(edited)


def _words(editor: str) -> list[str]:
    try:
        words = shlex.split(editor)
    except ValueError:
        words = []
    if not words:
        raise ConfigurationError(
            f"EDITOR is {editor!a}, which is no command", remedy="export EDITOR=vim, for one"
        )
    return [*words, *_QUIET.get(Path(words[0]).name, ())]


def _run(words: Sequence[str], env: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(words, env=dict(env), check=False)  # noqa: S603 -- a person's editor
    except OSError as error:
        raise ConfigurationError(
            f"the editor {words[0]!a} cannot be started: {error.strerror}",
            remedy="name one that is there: export EDITOR=vim, for one",
        ) from None
    if done.returncode != 0:
        raise ConfigurationError(
            f"the editor {words[0]!a} ended with {done.returncode}; nothing was changed",
            remedy="save and leave it without an error",
        )
