"""Files of the repository that sops has encrypted or git-secret hides, delivered or refused."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from simulators.programs import sops
from simulators.repositories import Content, Executable
from simulators.world import Done, World

__all__ = ["sops"]
PATH = "plain"
FILE = f"{PATH}/secret.yaml"
VALUE = "correct horse: battery staple"
LIST = ".gitsecret/paths/mapping.cfg"


def secret(world: World, value: str = VALUE) -> str:
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: plain, namespace: {world.namespace}}}\n"
        f"stringData: {{password: '{value}'}}\n"
    )


def namespace(world: World) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {world.namespace}}}\n"


def delivered(world: World) -> str:
    found = world.get("secret", "plain")
    assert found is not None
    assert "sops" not in found
    return base64.b64decode(found["data"]["password"]).decode()


def nothing_shown(done: Done) -> None:
    assert "horse" not in done.out + done.err
    assert "Traceback" not in done.err


@pytest.fixture
def tools(sops: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{sops.parent}{os.pathsep}{os.environ['PATH']}")
    return sops


def encrypted(world: World, program: Path, text: str, to: str = "operator") -> bytes:
    recipient = world.gnupg.fingerprint(f"{to}@example.org")
    done = subprocess.run(
        [program, "--encrypt", "--pgp", recipient, "--encrypted-regex", "^(data|stringData)$",
         "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"],
        env={"PATH": os.environ["PATH"], "GNUPGHOME": str(world.gnupg.path), "HOME": "/nowhere"},
        input=text.encode(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_an_encrypted_file_is_delivered_and_a_damaged_one_changes_nothing(
    world: World, tools: Path
) -> None:
    text = encrypted(world, tools, secret(world))
    world.ops.commit({f"{PATH}/a.yaml": namespace(world), FILE: text})
    done = world.deliver("--sops", path=PATH)
    assert done.code == 0, done.out + done.err
    assert delivered(world) == VALUE
    nothing_shown(done)
    version = world.get("secret", "plain")
    assert world.deliver("--sops", path=PATH).code == 0
    assert world.get("secret", "plain") == version

    at = text.index(b"ENC[AES256_GCM,data:") + 21
    broken = text[:at] + (b"A" if text[at : at + 1] != b"A" else b"B") + text[at + 1 :]
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\n"
    world.ops.commit({FILE: broken, f"{PATH}/b.yaml": other})
    done = world.deliver("--sops", "--sync-garbage-collection", path=PATH)
    assert done.code == 4, done.out + done.err
    assert f'unable to read file at "{FILE}": failed to decrypt file: ' in done.err
    nothing_shown(done)
    assert world.get("secret", "plain") == version
    assert world.get("configmap", "later", "default") is None

    world.ops.commit({FILE: encrypted(world, tools, secret(world, "rotated"))})
    assert world.deliver("--sops", path=PATH).code == 0
    assert delivered(world) == "rotated"


def test_without_the_flag_ciphertext_is_not_delivered(world: World, tools: Path) -> None:
    text = encrypted(world, tools, secret(world))
    world.ops.commit({f"{PATH}/a.yaml": namespace(world), FILE: text})
    done = world.deliver(path=PATH)
    assert done.code == 3
    assert f"{FILE}, document 1, line 1 is encrypted by sops" in done.err
    assert "--sops" in done.err
    assert world.get("secret", "plain") is None
    assert world.get("namespace", world.namespace, "") is None


def test_a_file_for_somebody_else_fails_that_target_and_no_other(world: World, tools: Path) -> None:
    text = encrypted(world, tools, secret(world), "stranger")
    theirs, ours = f"{PATH}/theirs", f"{PATH}/ours"
    world.ops.commit({f"{theirs}/s.yaml": text, f"{ours}/n.yaml": namespace(world)})
    done = world.deliver("--sops", path=f"{theirs},{ours}")
    assert done.code == 4
    assert "no key of this agent opens it" in done.err
    assert world.gnupg.fingerprint("stranger@example.org") in done.err
    assert world.get("namespace", world.namespace, "") is not None
    assert world.get("secret", "plain") is None


def test_a_missing_sops_is_named_and_nothing_is_written(
    world: World, sops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = encrypted(world, sops, secret(world))
    world.ops.commit({f"{PATH}/a.yaml": namespace(world), FILE: text})
    done = world.deliver("--sops", path=PATH)
    assert done.code == 3, done.out + done.err
    assert "the program sops is not on PATH" in done.err
    assert "install sops" in done.err
    assert world.get("namespace", world.namespace, "") is None
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(world.root / "none.txt"))
    found = world.run("doctor", *world.flags("--sops", path=PATH))
    assert "error    sops: the program sops is not on PATH" in found.out


def test_doctor_says_which_sops_and_which_keys(
    world: World, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = world.run("doctor", *world.flags("--sops", "--git-secret", path=PATH))
    assert f"ok       sops: {tools}" in found.out
    assert "ok       git-secret: what is revealed lies in memory" in found.out
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(world.root / "none.txt"))
    found = world.run("doctor", *world.flags("--sops", path=PATH))
    assert "error    sops: the age keys" in found.out


def hidden(world: World, text: str) -> dict[str, Content]:
    ciphertext = world.gnupg.encrypt(text.encode(), ["operator@example.org"])
    return {LIST: f"{FILE}:hash\n", f"{FILE}.secret": ciphertext}


@pytest.mark.parametrize("generated", [False, True], ids=["tree", "generator"])
def test_what_git_secret_hides_is_delivered_and_a_damaged_file_changes_nothing(
    world: World, *, generated: bool
) -> None:
    flux = "version: 1\ncommandUpdated:\n  generators: [{command: ./show.sh}]\n"
    show = "cat a.yaml\necho ---\ncat secret.yaml\ncat secret.yaml >&2\n"
    files: dict[str, Content] = {f"{PATH}/.flux.yaml": flux, f"{PATH}/show.sh": Executable(show)}
    world.ops.commit(
        {f"{PATH}/a.yaml": namespace(world), **hidden(world, secret(world)),
         **(files if generated else {})}
    )  # fmt: skip
    done = world.deliver("--git-secret", path=PATH)
    assert done.code == 0, done.out + done.err
    assert delivered(world) == VALUE
    nothing_shown(done)
    version = world.get("secret", "plain")

    damaged = bytearray((world.ops.path / f"{FILE}.secret").read_bytes())
    damaged[-30] ^= 0xFF
    world.ops.commit({f"{FILE}.secret": bytes(damaged)})
    done = world.deliver("--git-secret", "--sync-garbage-collection", path=PATH)
    assert done.code == 4, done.out + done.err
    assert f"git-secret hides {FILE}, which cannot be revealed" in done.err
    assert world.get("secret", "plain") == version

    world.ops.commit({LIST: "../../outside:\n"})
    done = world.deliver("--git-secret", path=PATH)
    assert done.code == 3
    assert "may not be revealed" in done.err
    assert world.get("secret", "plain") == version


def test_what_stays_hidden_is_a_warning_that_names_the_flag(world: World) -> None:
    world.ops.commit({f"{PATH}/a.yaml": namespace(world), **hidden(world, secret(world))})
    done = world.deliver(path=PATH)
    assert done.code == 0, done.out + done.err
    assert f"warning: {PATH}: {FILE}: git-secret hides it, and it is left out" in done.err
    assert world.get("secret", "plain") is None


def test_nothing_hidden_where_the_flag_says_so_is_an_error(world: World) -> None:
    world.ops.commit({f"{PATH}/a.yaml": namespace(world)})
    done = world.deliver("--git-secret", path=PATH)
    assert done.code == 3
    assert "git-secret hides nothing here" in done.err
    assert world.get("namespace", world.namespace, "") is None
