"""The walkthrough as people live it: deliver, rotate, damage, edit by hand, take out."""

from __future__ import annotations

import base64
import json
import re
import shutil

import pytest

from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

BYPASS = """\
DEMO_SECRET=$({gpg} --homedir {home} -d {entry} 2>/dev/null | base64 )
cat <<EOL
apiVersion: v1
data:
  demosecret: $DEMO_SECRET
kind: Secret
metadata:
  name: demo-secret
  namespace: {namespace}
EOL
"""


def test_the_application_gets_its_secret(world: World) -> None:
    done = world.deliver()
    assert done.code == 0, done.err
    assert done.out.splitlines()[:4] == [
        f"namespace/{world.namespace} created",
        "service/demo-service created",
        "secret/demo-secret created",
        "deployment.apps/demo created",
    ]
    assert world.secret()[0] == FIRST
    table = world.kubectl("get", "secrets", "-n", world.namespace).out
    assert re.fullmatch(r"NAME +TYPE +DATA +AGE\ndemo-secret +Opaque +1 +\d+s\n", table), table


def test_a_second_delivery_writes_nothing(world: World) -> None:
    world.deliver()
    before = world.secret()
    done = world.deliver()
    assert done.code == 0
    assert re.findall(r"^\S+ (\w+)$", done.out, re.MULTILINE) == ["unchanged"] * 4
    assert world.secret() == before


def test_a_rotated_entry_arrives_and_nothing_else_is_touched(world: World) -> None:
    world.deliver()
    deployment = world.get("deployment", "demo")
    world.put("demo", SECOND)
    done = world.deliver()
    assert done.code == 0, done.err
    assert "secret/demo-secret configured" in done.out
    assert world.secret()[0] == SECOND
    after = world.get("deployment", "demo")
    assert deployment is not None
    assert after is not None
    assert after["spec"] == deployment["spec"]


@pytest.mark.parametrize("at_its_end", [False, True], ids=["front", "end"])
def test_a_damaged_entry_leaves_the_last_good_value_unwritten(
    world: World, *, at_its_end: bool
) -> None:
    world.deliver()
    before = world.secret()
    commit = world.damage("demo", at_its_end=at_its_end)
    done = world.deliver()
    assert done.code == 4
    assert "apps/demo" in done.err
    assert commit[:12] in done.err
    assert world.secret() == before


def test_a_script_that_bypasses_us_cannot_empty_the_secret_either(world: World) -> None:
    world.deliver()
    before = world.secret()
    script = BYPASS.format(
        gpg=shutil.which("gpg"), home=world.gnupg.path, namespace=world.namespace,
        entry=world.store.path / "demo.gpg",
    )  # fmt: skip
    world.ops.commit({f"{APPLICATION}/secrets.yaml.sh": Executable(script)})
    assert world.deliver("--unsafe-no-sandbox").code == 0
    assert world.secret() == before
    world.damage("demo")
    done = world.deliver("--unsafe-no-sandbox")
    assert done.code == 4, done.out + done.err
    assert "demosecret" in done.err
    assert world.ops.head[:12] in done.err
    assert world.secret() == before


def test_in_the_sandbox_a_script_finds_no_key_and_no_store_to_bypass_us_with(world: World) -> None:
    world.deliver()
    before = world.secret()
    script = BYPASS.format(
        gpg=shutil.which("gpg"), home=world.gnupg.path, namespace=world.namespace,
        entry=world.store.path / "demo.gpg",
    )  # fmt: skip
    world.ops.commit({f"{APPLICATION}/secrets.yaml.sh": Executable(script)})
    done = world.deliver()
    assert done.code == 4, done.out + done.err  # an emptied value is held
    assert world.secret() == before


def test_an_empty_value_is_held_until_a_person_confirms_that_revision(world: World) -> None:
    world.deliver()
    before = world.secret()
    emptied = BYPASS.replace("$DEMO_SECRET", '""').format(
        gpg="true", home="/", entry="/dev/null", namespace=world.namespace
    )
    world.ops.commit({f"{APPLICATION}/secrets.yaml.sh": Executable(emptied)})
    done = world.deliver()
    assert done.code == 4
    assert world.secret() == before
    token = re.search(r"--confirm (\w+)", done.err)
    assert token is not None
    assert world.deliver("--confirm=0123456789ab").code == 4
    assert world.deliver(f"--confirm={token[1]}").code == 0
    assert world.secret()[0] == b""


def test_a_hand_edit_is_repaired(world: World) -> None:
    world.deliver()
    value = base64.b64encode(b"edited by hand").decode()
    patch = json.dumps({"data": {"demosecret": value}})
    world.kubectl("patch", "secret", "demo-secret", "-n", world.namespace, "-p", patch)
    assert world.secret()[0] == b"edited by hand"
    done = world.deliver()
    assert done.code == 0, done.err
    assert "secret/demo-secret configured (repaired" in done.out
    assert world.secret()[0] == FIRST


@pytest.mark.parametrize("value", [b"somebody else's", FIRST], ids=["other", "equal"])
def test_a_foreign_secret_of_that_name_is_refused_untouched(world: World, value: bytes) -> None:
    world.kubectl("create", "namespace", world.namespace)
    world.kubectl(
        "create", "secret", "generic", "demo-secret", "-n", world.namespace,
        f"--from-literal=demosecret={value.decode()}",
    )  # fmt: skip
    before = world.get("secret", "demo-secret")
    done = world.deliver()
    assert done.code == 7
    assert "secret/demo-secret failed" in done.out
    assert "--adopt-existing" in done.err
    assert world.get("secret", "demo-secret") == before
    assert "deployment.apps/demo created" in done.out


def test_adopting_takes_over_openly(world: World) -> None:
    world.kubectl("create", "namespace", world.namespace)
    world.kubectl(
        "create", "secret", "generic", "demo-secret", "-n", world.namespace,
        "--from-literal=demosecret=old",
    )  # fmt: skip
    done = world.deliver("--adopt-existing")
    assert done.code == 0, done.err
    assert "adopted" in done.out
    assert world.secret()[0] == FIRST


def test_an_application_taken_out_is_removed_once_confirmed(world: World) -> None:
    both = f"platform,{APPLICATION}"
    collected = "--sync-garbage-collection"
    about = world.ops.path / "platform" / "about.yaml"
    text = about.read_text().replace("namespace: default", f"namespace: {world.namespace}-flux")
    world.ops.commit({"platform/about.yaml": text})
    assert world.deliver(collected, path=both).code == 0
    held = world.deliver(collected, path="platform")
    assert held.code == 4
    assert world.secret()[0] == FIRST
    token = re.search(r"--confirm (\w+)", held.err)
    assert token is not None
    done = world.deliver(collected, f"--confirm={token[1]}", path="platform")
    assert done.code == 0, done.err
    assert "secret/demo-secret deleted" in done.out
    assert world.get("secret", "demo-secret") is None


def test_without_garbage_collection_nothing_is_ever_removed(world: World) -> None:
    world.deliver()
    world.ops.remove(f"{APPLICATION}/service.yaml")
    text = (world.ops.path / APPLICATION / "kustomization.yaml").read_text()
    world.ops.commit({f"{APPLICATION}/kustomization.yaml": text.replace("  - service.yaml\n", "")})
    assert world.deliver().code == 0
    assert world.get("service", "demo-service") is not None
    assert world.deliver("--sync-garbage-collection").code == 0
    assert world.get("service", "demo-service") is None


def test_a_typed_reference_needs_no_script(world: World) -> None:
    secret = (
        "apiVersion: v1\nkind: Secret\n"
        f"metadata: {{name: demo-secret, namespace: {world.namespace}}}\n"
        "stringData:\n  demosecret: ref+gopass://apps/demo#password\n"
    )
    flux_yaml = "version: 1\ncommandUpdated:\n  generators:\n  - command: kustomize build .\n"
    kustomization = world.ops.path / APPLICATION / "kustomization.yaml"
    world.ops.commit(
        {
            f"{APPLICATION}/.flux.yaml": flux_yaml,
            f"{APPLICATION}/secret.yaml": secret,
            f"{APPLICATION}/kustomization.yaml": kustomization.read_text() + "  - secret.yaml\n",
        }
    )
    done = world.deliver()
    assert done.code == 0, done.err
    assert world.secret()[0] == FIRST.strip()


def test_a_persons_own_gnupg_home_decrypts_without_giving_its_key_away(world: World) -> None:
    world.monkeypatch.setenv("GNUPGHOME", str(world.gnupg.path))
    flags = [flag for flag in world.flags() if not flag.startswith("--git-gpg-key-import")]
    done = world.run("deliver", *flags)
    assert done.code == 0, done.err
    assert world.secret()[0] == FIRST
