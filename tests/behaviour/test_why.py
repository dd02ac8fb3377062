"""`flux-secret why`: each break is found at its link, commit and line, and its remedy mends it.

The numbers are those of docs/why.md. The commands are run as they are printed.
"""

from __future__ import annotations

import time

import pytest

from simulators.agents import until
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.githosts import ssh_host
from simulators.mending import Mender, asks_at, delivered, is_at, plain
from simulators.owned import Signatory
from simulators.ownedworld import brought_in
from simulators.pods import changed, runs, template
from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

SCRIPT = f"{APPLICATION}/secrets.yaml.sh"
ASKS, MAKES = 5, 14  # lines of the walkthrough's script


@pytest.fixture
def person(world: World) -> Mender:
    return Mender(world)


def test_a_whole_chain_names_every_link_from_commit_to_object(person: Mender) -> None:
    world = person.world
    delivered(world)
    first = world.ops.head
    chain = person.why("apps/demo")
    assert chain["whole"]
    assert chain["broken"] is None
    kinds = [link["kind"] for link in chain["links"]]
    assert kinds == ["commit", "file", "entry", "recipients", "key", "object", "pods"]
    asks_at(chain, SCRIPT, ASKS, first)
    assert chain["links"][0]["place"]["commit"] == first
    assert chain["links"][2]["place"]["changed"]["commit"] == world.store.head
    assert chain["links"][5]["name"] == f"secret/demo-secret in {world.namespace}"
    assert FIRST.decode().strip() not in str(chain)


def test_an_object_that_nobody_makes_breaks_the_chain_and_what_is_like_it_is_named(
    person: Mender,
) -> None:
    world = person.world
    delivered(world)
    for asked in ("secret/demo-secert", "elsewhere/secret/demo-secret", "object:secret/demo-secre"):
        link = person.broken(asked)
        assert (link["kind"], link["exitCode"]) == ("file", 3)
        assert "no application that was looked at makes it" in link["reason"]
        assert link["remedy"].startswith(f"did you mean secret/demo-secret in {world.namespace}")
    link = person.broken("secret/completely-another")
    assert link["remedy"].startswith("check the name")
    world.ops.commit({SCRIPT: Executable("#!/bin/sh\nexit 1\n")})
    assert "exit status 1" in person.broken("secret/demo-secert")["reason"]


def test_1_an_entry_with_a_typo_in_its_name(person: Mender) -> None:
    world = person.world
    delivered(world)
    text = (world.ops.path / SCRIPT).read_text()
    wrong = world.ops.commit({SCRIPT: Executable(text.replace("/demo |", "/dmo |"))})
    link = person.broken("secret/demo-secret")
    assert (link["kind"], link["name"], link["exitCode"]) == ("entry", "apps/dmo", 4)
    is_at(link, SCRIPT, ASKS, wrong)
    person.mend(link)
    assert person.why("secret/demo-secret")["whole"]
    assert (world.ops.path / SCRIPT).read_text() == text


def test_2_an_entry_that_nobody_has_made_yet(person: Mender) -> None:
    world = person.world
    commit = plain(world, "ref+gopass://apps/postgres/main")
    link = person.broken("apps/postgres/main", path="plain")
    assert (link["kind"], link["exitCode"]) == ("entry", 4)
    is_at(link, "plain/secret.yaml", 8, commit)
    person.mend(link, types="a new password\n")
    delivered(world, path="plain")
    assert person.why("apps/postgres/main", path="plain")["whole"]


def test_3_a_store_whose_recipients_lack_the_agent(person: Mender) -> None:
    world = person.world
    people = ["person1@example.org", "person2@example.org"]
    ids = [f"0x{world.gnupg.fingerprint(one)[-16:]}" for one in people]
    theirs = world.gnupg.encrypt(SECOND, people)
    commit = world.store.commit({".gpg-id": "\n".join(ids) + "\n", "demo.gpg": theirs})
    link = person.broken("secret/demo-secret")
    assert (link["kind"], link["exitCode"]) == ("recipients", 4)
    assert link["place"]["file"] == ".gpg-id"
    assert link["place"]["commit"] == commit
    person.mend(link, types="y\n")
    delivered(world)
    assert person.why("secret/demo-secret")["whole"]
    assert world.secret()[0] == SECOND


def test_4_an_entry_that_was_not_encrypted_to_the_agent(person: Mender) -> None:
    world = person.world
    theirs = world.gnupg.encrypt(SECOND, ["person1@example.org"])
    commit = world.store.commit({"demo.gpg": theirs})
    link = person.broken("apps/demo")
    assert link["kind"] == "recipients"
    assert link["place"]["commit"] == commit
    person.mend(link)
    delivered(world)
    assert person.why("apps/demo")["whole"]


def test_5_ciphertext_that_is_damaged(person: Mender) -> None:
    world = person.world
    delivered(world)
    commit = world.damage("demo", at_its_end=True)
    link = person.broken("apps/demo")
    assert (link["kind"], link["place"]["file"]) == ("entry", "demo.gpg")
    assert link["place"]["changed"]["commit"] == commit
    person.mend(link)
    assert person.why("apps/demo")["whole"]
    assert world.secret()[0] == FIRST


def test_6_an_entry_that_is_empty(person: Mender) -> None:
    world = person.world
    commit = world.put("demo", b"")
    link = person.broken("apps/demo")
    assert link["kind"] == "entry"
    assert link["place"]["changed"]["commit"] == commit
    person.mend(link, types=SECOND.decode())
    delivered(world)
    assert person.why("apps/demo")["whole"]


def test_7_a_key_that_an_entry_has_not(person: Mender) -> None:
    world = person.world
    commit = plain(world, "ref+gopass://apps/demo#login")
    chain = person.why("secret/db", path="plain")
    asks_at(chain, "plain/secret.yaml", 8, commit)
    link = person.broken("secret/db", path="plain")
    assert link["kind"] == "entry"
    assert link["place"]["changed"]["commit"] == world.store.head
    person.mend(link, types="admin")
    delivered(world, path="plain")
    assert person.why("secret/db", path="plain")["whole"]


def test_8_a_store_of_a_wrong_name(person: Mender) -> None:
    world = person.world
    commit = plain(world, "ref+gopass://aps/demo")
    link = person.broken("secret/db", path="plain")
    assert (link["kind"], link["name"]) == ("entry", "aps/demo")
    is_at(link, "plain/secret.yaml", 8, commit)
    person.mend(link)
    delivered(world, path="plain")
    assert person.why("secret/db", path="plain")["whole"]


def test_9_a_private_key_that_is_not_there(person: Mender) -> None:
    world = person.world
    operator = world.gnupg.fingerprint("operator@example.org")
    text = world.gnupg.encrypt(FIRST, ["operator@example.org"])
    world.store.commit({".gpg-id": f"{operator}\n", "demo.gpg": text})
    world.key.unlink()
    chain = person.why("apps/demo")
    asks_at(chain, SCRIPT, ASKS, world.ops.head)
    link = person.broken("apps/demo")
    assert (link["kind"], link["name"], link["exitCode"]) == ("key", str(world.key), 4)
    assert "cannot be read" in link["reason"]
    person.mend(link)
    delivered(world)
    assert person.why("apps/demo")["whole"]


def test_10_a_script_that_is_not_executable(person: Mender) -> None:
    world = person.world
    text = (world.ops.path / SCRIPT).read_text()
    world.ops.commit({SCRIPT: text})
    link = person.broken(APPLICATION)
    assert (link["kind"], link["exitCode"]) == ("file", 3)
    first = world.ops.git("rev-list", "--max-parents=0", "HEAD").strip()
    line = 1 + (world.ops.path / f"{APPLICATION}/.flux.yaml").read_text().splitlines().index(
        "    - command: ./secrets.yaml.sh  #this will execute the secrets script and return a "
        "yaml with the secret"
    )
    is_at(link, f"{APPLICATION}/.flux.yaml", line, first)
    person.mend(link)
    delivered(world)
    assert person.why(APPLICATION)["whole"]


def test_11_a_script_that_prints_no_manifest(person: Mender) -> None:
    world = person.world
    config = f"{APPLICATION}/.flux.yaml"
    text = (world.ops.path / config).read_text()
    wrong = world.ops.commit({config: text.replace("./secrets.yaml.sh", "./secrets.yml.sh")})
    link = person.broken(APPLICATION)
    assert link["kind"] == "file"
    is_at(link, config, 5, wrong)
    person.edits('sed -i "s|secrets.yml.sh|secrets.yaml.sh|" "$2"')
    person.mend(link)
    delivered(world)
    assert person.why(APPLICATION)["whole"]


def test_11_a_script_that_fails_is_named_with_its_last_change(person: Mender) -> None:
    world = person.world
    text = (world.ops.path / SCRIPT).read_text()
    wrong = world.ops.commit({SCRIPT: Executable(f"exit 3\n{text}")})
    chain = person.why(APPLICATION)
    broken, program = (one for one in chain["links"] if one["kind"] == "file")
    assert (broken["place"]["file"], broken["place"]["line"]) == (f"{APPLICATION}/.flux.yaml", 5)
    assert "exit status 3" in broken["reason"]
    assert (program["name"], program["place"]["changed"]["commit"]) == (SCRIPT, wrong)
    assert [one["kind"] for one in chain["links"]] == [
        "commit", "file", "file", "entry", "recipients", "key", "object", "pods",
    ]  # fmt: skip
    person.edits('sed -i "/^exit 3$/d" "$2"')
    person.mend(broken)
    delivered(world)
    assert person.why(APPLICATION)["whole"]


def test_12_a_reference_outside_a_secret(person: Mender) -> None:
    world = person.world
    commit = plain(world, "ref+gopass://apps/demo", kind="ConfigMap")
    link = person.broken("configmap/db", path="plain")
    assert (link["kind"], link["exitCode"]) == ("file", 3)
    is_at(link, "plain/secret.yaml", 1, commit)
    person.edits('sed -i "s|ConfigMap|Secret|; s|^data|stringData|" "$2"')
    person.mend(link)
    delivered(world, path="plain")
    assert person.why("secret/db", path="plain")["whole"]


def test_13_a_commit_that_is_not_delivered_yet(person: Mender) -> None:
    world = person.world
    delivered(world)
    commit = world.put("demo", SECOND)
    link = person.broken("secret/demo-secret")
    assert (link["kind"], link["exitCode"]) == ("object", 1)
    chain = person.why("secret/demo-secret")
    entry = next(one for one in chain["links"] if one["kind"] == "entry")
    assert entry["place"]["changed"]["commit"] == commit
    person.mend(link)
    assert person.why("secret/demo-secret")["broken"] in {None, "pods"}  # where there are pods
    assert world.secret()[0] == SECOND


def test_14_an_object_that_somebody_else_has_made(person: Mender) -> None:
    world = person.world
    world.kubectl("create", "namespace", world.namespace)
    world.kubectl("create", "secret", "generic", "demo-secret", "-n", world.namespace)
    flags = ("--adopt-existing=false",)
    link = person.broken("secret/demo-secret", *flags)
    assert (link["kind"], link["exitCode"]) == ("object", 7)
    is_at(link, SCRIPT, MAKES, world.ops.head)
    person.mend(link)
    assert person.why("secret/demo-secret")["whole"]


def test_14_an_object_that_another_target_makes(person: Mender) -> None:
    world = person.world
    plain(world, "ref+gopass://apps/demo")
    delivered(world, path="plain")
    text = (world.ops.path / "plain/secret.yaml").read_text()
    commit = world.ops.commit({"again/secret.yaml": text})
    link = person.broken("secret/db", path="again")
    assert (link["kind"], link["exitCode"], link["commands"]) == ("object", 7, [])
    assert "belongs to plain of " in link["reason"]
    is_at(link, "again/secret.yaml", 4, commit)


def test_15_a_value_that_would_vanish_is_held(person: Mender) -> None:
    world = person.world
    plain(world, "ref+gopass://apps/demo")
    delivered(world, path="plain")
    text = (world.ops.path / "plain/secret.yaml").read_text()
    commit = world.ops.commit({"plain/secret.yaml": text.replace("  user: admin\n", "")})
    link = person.broken("secret/db", path="plain")
    assert (link["kind"], link["exitCode"]) == ("object", 4)
    assert link["place"]["commit"] == commit
    assert "its user would vanish" in link["reason"]
    person.mend(link)
    assert person.why("secret/db", path="plain")["whole"]


def test_16_a_namespace_that_is_not_there(person: Mender) -> None:
    world = person.world
    commit = plain(world, "ref+gopass://apps/demo", namespace=f"{world.namespace}-flux")
    link = person.broken("secret/db", path="plain")
    assert (link["kind"], link["exitCode"]) == ("object", 7), str(link)
    is_at(link, "plain/secret.yaml", 4, commit)
    person.mend(link)
    assert person.why("secret/db", path="plain")["whole"]


def test_17_a_manifest_that_the_api_server_refuses(person: Mender) -> None:
    world = person.world
    service = f"{APPLICATION}/service.yaml"
    delivered(world)
    text = (world.ops.path / service).read_text()
    world.ops.commit({service: text.replace("port: 443", "port: 443000")})
    link = person.broken("service/demo-service")
    assert (link["kind"], link["exitCode"]) == ("object", 7)
    assert link["place"]["file"] == service
    person.edits('sed -i "s|443000|443|" "$2"')
    person.mend(link)
    assert person.why("service/demo-service")["whole"]


def test_18_pods_that_run_with_the_old_value(person: Mender) -> None:
    world = person.world
    delivered(world)
    made = runs(world)
    until(lambda: time.time() >= made + 1)  # times in a cluster are whole seconds
    world.put("demo", SECOND)
    delivered(world)
    link = person.broken("secret/demo-secret")
    assert (link["kind"], link["exitCode"]) == ("pods", 1)
    assert link["name"] == f"deployment.apps/demo in {world.namespace}"
    assert "1 of 1 pod started before secret/demo-secret changed" in link["reason"]
    before = template(world)
    person.mend(link)
    assert template(world) != before
    until(lambda: time.time() >= changed(world) + 1)
    world.kubectl("delete", "pod", "demo-1", "-n", world.namespace, "--now")
    runs(world)  # as the Deployment's controller does for a new template
    assert person.why("secret/demo-secret")["whole"]


def test_22_a_git_host_whose_key_is_not_known(person: Mender) -> None:
    world = person.world
    known = world.root / "known_hosts"
    known.touch()
    with ssh_host(world.root / "sshd") as host:
        flags = (
            f"--git-url={host.url(world.ops.path)}", f"--git-known-hosts={known}",
            f"--git-ssh-key={host.key}",
        )  # fmt: skip
        link = person.broken("secret/demo-secret", *flags)
        assert (link["kind"], link["exitCode"]) == ("commit", 6)
        assert "the host's key is not known" in link["reason"]
        person.mend(link)
        delivered(world, *flags)
        assert person.why("secret/demo-secret", *flags)["whole"]


def test_24_a_store_whose_history_was_taken_back(person: Mender) -> None:
    world = person.world
    first = world.store.head
    world.put("demo", SECOND)
    delivered(world)
    world.store.git("reset", "--quiet", "--hard", first)
    link = person.broken("secret/demo-secret")
    assert (link["kind"], link["exitCode"]) == ("entry", 6)
    assert f"its newest commit {first[:12]} does not contain" in link["reason"]
    assert world.deliver().code == 6
    person.mend(link)
    assert world.secret()[0] == FIRST
    assert person.why("secret/demo-secret")["broken"] in {None, "pods"}


def test_25_a_change_that_waits_for_its_owners(person: Mender) -> None:
    world = person.world
    people = [Signatory(name, gnupg=world.gnupg) for name in ("person1", "person2")]
    brought_in(world, "  demo: {owners: [person1, person2], approvals: 1}\n", *people)
    delivered(world)
    commit = world.put("demo", SECOND)
    delivered(world)
    assert world.secret()[0] == FIRST
    for subject in ("secret/demo-secret", "apps/demo", APPLICATION):
        link = person.broken(subject)
        assert (link["kind"], link["name"], link["exitCode"]) == ("entry", "apps/demo", 4)
        assert f"demo at {commit[:12]} is not approved" in link["reason"]
        assert link["commands"] == ["flux-secret owners approve apps demo"]
    person.mend(link, types="y\n")
    delivered(world)
    assert world.secret()[0] == SECOND
    assert person.why("apps/demo")["whole"]
