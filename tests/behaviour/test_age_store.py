"""Secrets from a store of age: delivered, or nothing is written."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.world import FIRST, SECOND, Done, World

pytestmark = pytest.mark.skipif(shutil.which("age") is None, reason="no age here")


@dataclass
class AgeStore:
    """The walkthrough's store, with entries that the age program encrypts."""

    world: World
    identity: Path
    public: str

    def put(self, text: bytes, *to: str) -> bytes:
        words = [word for one in to or (self.public,) for word in ("-r", one)]
        message = subprocess.run(
            ["age", *words], input=text, capture_output=True, check=True, timeout=60
        ).stdout
        self.world.store.commit({"demo.age": message})
        return message

    def deliver(self, *extra: str) -> Done:
        return self.world.deliver(f"--age-identity={self.identity}", *extra)


def identity(place: Path) -> str:
    subprocess.run(["age-keygen", "-o", place], check=True, capture_output=True, timeout=60)
    said = subprocess.run(["age-keygen", "-y", place], check=True, capture_output=True, timeout=60)
    return said.stdout.decode().strip()


@pytest.fixture
def store(world: World) -> AgeStore:
    file = world.root / "operator.txt"
    made = AgeStore(world, file, identity(file))
    world.store.remove(".gpg-id")
    world.store.remove("demo.gpg")
    world.store.commit({".age-recipients": f"{made.public}\n"})
    made.put(FIRST)
    return made


def test_a_secret_comes_from_a_store_of_age(store: AgeStore) -> None:
    done = store.deliver()
    assert done.code == 0, done.err
    assert store.world.secret()[0] == FIRST
    store.put(SECOND)
    assert "secret/demo-secret configured" in store.deliver().out
    assert store.world.secret()[0] == SECOND


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_an_ssh_key_opens_a_store_of_age(store: AgeStore, kind: str) -> None:
    key = store.world.root / "ssh"
    words = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)]
    subprocess.run(words, check=True, timeout=60)
    store.put(SECOND, (store.world.root / "ssh.pub").read_text().strip())
    done = store.world.deliver(f"--age-identity={key}")
    assert done.code == 0, done.err
    assert store.world.secret()[0] == SECOND


def test_a_damaged_entry_writes_nothing(store: AgeStore) -> None:
    store.deliver()
    message = store.put(SECOND)
    for bad in (message[:-1], message[:60], b"", message[:-1] + bytes([message[-1] ^ 1])):
        store.world.store.commit({"demo.age": bad})
        done = store.deliver()
        assert (done.code, "damaged" in done.err, "remedy: " in done.err) == (4, True, True)
        assert store.world.secret()[0] == FIRST


def test_an_entry_for_others_names_our_recipient_in_the_remedy(store: AgeStore) -> None:
    store.deliver()
    store.put(SECOND, identity(store.world.root / "others.txt"))
    done = store.deliver()
    assert done.code == 4
    assert f"recipients add {store.public}" in done.err
    assert store.world.secret()[0] == FIRST


def test_without_an_identity_the_flag_is_named(store: AgeStore) -> None:
    done = store.world.deliver()
    assert (done.code, "--age-identity FILE" in done.err) == (4, True), done.err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no identity is in it"),
        ("nonsense\n", "line 1: it is no age private key"),
        ("AGE-PLUGIN-YUBIKEY-1QQ\n", "plugins of age are never run"),
        ("age-encryption.org/v1\n-> scrypt x 18\nx\n--- x\n", "is under a passphrase"),
    ],
)
def test_a_file_of_identities_that_cannot_be_used_is_refused_at_the_start(
    store: AgeStore, text: str, why: str
) -> None:
    store.identity.write_text(text)
    done = store.deliver()
    assert (done.code, why in done.err) == (4, True), done.err
    assert "operator.txt" in done.err


def test_where_both_files_of_recipients_lie_openpgp_counts(store: AgeStore) -> None:
    store.world.store.commit({".gpg-id": "0x1\n"})
    store.world.put("demo", SECOND)
    done = store.deliver()
    assert done.code == 0, done.err
    assert store.world.secret()[0] == SECOND


def test_doctor_opens_an_entry_of_age(store: AgeStore) -> None:
    done = store.world.run("doctor", *store.world.flags(f"--age-identity={store.identity}"))
    assert "store apps: apps/demo opens with a key of ours" in done.out, done.out + done.err
    assert "1 name nobody" in done.out
