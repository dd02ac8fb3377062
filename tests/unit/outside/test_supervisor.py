"""The supervisor is started with every generator command, so it imports little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flux_secret.outside import supervisor
from flux_secret.outside.confinement import Confinement

SOURCE = Path(supervisor.__file__).parents[2]
LOADED = """
import sys
sys.path.insert(0, sys.argv[1])
from flux_secret.outside import supervisor
from flux_secret.outside.sandbox import landlock, privileges
print(*sys.modules)
"""


def test_it_does_without_what_takes_long_to_import() -> None:
    """`typing` and `enum` took half of the 37 ms that a start once cost."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADED, str(SOURCE)],
        env={}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert not {"typing", "enum", "collections", "re", "pathlib"} & set(done.stdout.split())


def test_the_words_of_a_confinement_say_all_of_it() -> None:
    given = Confinement(
        1, 2, 3, ("/a", "/b"), b"\x01\xff", landlock=True,
        readable=("/r",), writable=("/w", "/x=y"), devices=("/dev/null",),
    )  # fmt: skip
    read = vars(supervisor.Words(given.words()))
    assert {name: tuple(v) if isinstance(v, list) else v for name, v in read.items()} == (
        given._asdict()
    )
    nothing = vars(supervisor.Words(Confinement().words()))
    assert not any(nothing.values())
