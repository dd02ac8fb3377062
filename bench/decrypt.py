"""1,000 entries through the store room against one `gpg --decrypt` a file.

`PYTHONPATH=tools:tests python bench/decrypt.py` makes keys and a store in memory, reads every entry
as a delivery does (look-up, git object, decryption, parsing, record), and runs gpg as gopass does.
gpg decrypts a sample and is scaled up; both take turns in chunks, so that what else the machine
does hits both: only the ratio means something. A table is printed; JSON is kept in bench/results.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flux_secret.model.delivery import Read
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Source, Target
from flux_secret.outside.git import GitAccess, LastGood, Mirror
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.objects import Commit
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.crypto.openpgp import OpenPgp
from flux_secret.store.interface import Decryptors
from flux_secret.store.stores import Mirrors, Stores
from simulators.gnupg import Home, home
from simulators.repositories import Repository

RESULTS = Path(__file__).parent / "results"
ENTRIES = 1000
GPG_SAMPLE = 200
CHUNKS = 20
TEXT = b"correct horse battery staple\nuser: demo\n"


class Seconds(NamedTuple):
    """What all entries take."""

    ours: float
    gpg: float


def store_of(place: Path, gnupg: Home, email: str) -> Repository:
    """Make a store of different ciphertexts."""
    files = {
        f"e/{number:04}.gpg": gnupg.encrypt(TEXT + b"n: %d\n" % number, [email])
        for number in range(ENTRIES)
    }
    return Repository.create(place / email, {".gpg-id": f"{email}\n", **files})


async def side_by_side(place: Path, gnupg: Home, email: str, store: Repository) -> Seconds:
    """Read all entries ours, and a sample by gpg, in alternating chunks on the same machine."""
    key = gnupg.private_key(email)
    name = StoreName.parse("apps")
    gpg = Gpg.private([key], b"", path=os.environ["PATH"])
    mirror = Mirror(GitUrl.parse(store.url), place / "cache", GitAccess(path=os.environ["PATH"]))
    decryptors = Decryptors(OpenPgp([key], None, gpg), AgeDecryptor(Identities()))
    mirrors = Mirrors({name: LastGood(mirror, allowed=False)}.__getitem__)
    stores = Stores(mirrors, Commit, decryptors)
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "", frozenset({name}))
    reads: list[Read] = []
    lookups = [Lookup(SecretPath.parse(f"apps/e/{number:04}")) for number in range(ENTRIES)]
    ours = theirs = 0.0
    by_gpg(gnupg, store, 0)  # its agent is up
    async with stores.reader(target, reads) as reader:
        for chunk in range(CHUNKS):
            began = time.perf_counter()
            for lookup in lookups[chunk * ENTRIES // CHUNKS : (chunk + 1) * ENTRIES // CHUNKS]:
                await reader.read(lookup)
            ours += time.perf_counter() - began
            began = time.perf_counter()
            for number in range(GPG_SAMPLE // CHUNKS):
                by_gpg(gnupg, store, chunk * GPG_SAMPLE // CHUNKS + number)
            theirs += time.perf_counter() - began
    await gpg.close()
    assert len(reads) == ENTRIES
    return Seconds(ours, theirs * ENTRIES / GPG_SAMPLE)


def by_gpg(gnupg: Home, store: Repository, number: int) -> None:
    """Decrypt one file as gopass does."""
    env = {"PATH": os.environ["PATH"], "GNUPGHOME": str(gnupg.path), "LC_ALL": "C"}
    argv = ["gpg", "--quiet", "--batch", "--no-auto-check-trustdb", "--decrypt"]
    file = store.path / "e" / f"{number:04}.gpg"
    subprocess.run([*argv, file], env=env, check=True, capture_output=True)


def main() -> None:
    """Run and print."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    result: dict[str, dict[str, float]] = {}
    shapes: dict[str, Callable[[Home, str], str]] = {
        "cv25519": lambda gnupg, email: gnupg.curve25519(email),
        "rsa4096": lambda gnupg, email: gnupg.rsa(email, 4096, mixed=False),
    }
    print(f"{'key':<8} {'entries':>7} {'ours s':>8} {'gpg s':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory(dir=memory) as name, home() as gnupg:
        for shape, make in shapes.items():
            email = f"{shape}@example.org"
            make(gnupg, email)
            store = store_of(Path(name), gnupg, email)
            ours, gpg = asyncio.run(side_by_side(Path(name), gnupg, email, store))
            result[shape] = {"entries": ENTRIES, "ours_s": ours, "gpg_s": gpg, "ratio": gpg / ours}
            print(f"{shape:<8} {ENTRIES:>7} {ours:>8.2f} {gpg:>8.2f} {gpg / ours:>6.1f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "decrypt.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
