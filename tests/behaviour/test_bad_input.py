"""Everything a person can get wrong: the thing, the reason, the remedy, the exit code, no write."""

from __future__ import annotations

import socket

import pytest

from simulators.repositories import Content, Executable, Link
from simulators.world import APPLICATION, FIRST, Done, World

FLUX = f"{APPLICATION}/.flux.yaml"
SCRIPT = f"{APPLICATION}/secrets.yaml.sh"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def commands(*lines: str) -> str:
    return "version: 1\ncommandUpdated:\n  generators:\n" + "".join(
        f"  - command: {line}\n" for line in lines
    )


def printing(text: str) -> Executable:
    return Executable(f"cat <<'EOL'\n{text}EOL\n")


def must_fail(world: World, done: Done, code: int, *words: str) -> None:
    """Check the code, the words, that there is a remedy, and that nothing was written."""
    assert done.code == code, done.out + done.err
    for word in words:
        assert word in done.err, done.err
    assert "remedy: " in done.err
    assert "Traceback" not in done.err
    assert world.secret()[0] == FIRST


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        ({SCRIPT: Executable("exit 3\n")}, 3, ["exit status 3", "./secrets.yaml.sh"]),
        ({SCRIPT: Executable("true\n")}, 3, ["printed no manifest, and exited 0"]),
        ({SCRIPT: Executable("echo hello\n")}, 3, ["is text, not a Kubernetes object"]),
        ({SCRIPT: printing(f"{MAP}---\n{MAP}")}, 3, ["duplicate definition"]),
        ({SCRIPT: printing(f"{MAP}data:\n  a: 1\n  a: 2\n")}, 3, ["stands twice", "line 6"]),
        ({SCRIPT: printing("metadata: {name: a}\n")}, 3, ["has no kind"]),
        ({SCRIPT: printing(f"{MAP}data:\n\ta: 1\n")}, 3, ["line 5"]),
        ({SCRIPT: Executable("printf 'a: \\377\\n'\n")}, 3, ["not UTF-8"]),
        ({SCRIPT: Executable("gopass apps/none | cat\n")}, 4, ["no entry apps/none", "apps at "]),
        ({SCRIPT: Executable("gopass apps/demo none\n")}, 4, ["no key 'none'"]),
        ({SCRIPT: Executable("gopass $NOPE/demo\n" + f"printf '{MAP}'\n".replace("\n", "\\n"))}, 3,
         []),
        ({FLUX: "version: 2\n"}, 3, ["version must be the number 1", "line 1"]),
        ({FLUX: commands("a") + "patchUpdated: {}\n"}, 3, ["commandUpdated and patchUpdated"]),
        ({FLUX: commands("a", '""') + "extra: 1\n"}, 3, ["exit status 127", "'extra' is none of"]),
        ({FLUX: commands('""')}, 3, ["gave no object at all", "a command is empty"]),
        ({"out": Link("../outside")}, 3, ["leads out of the repository"]),
    ],
)  # fmt: skip
def test_a_broken_repository_changes_nothing(
    world: World, files: dict[str, Content], code: int, words: list[str]
) -> None:
    assert world.deliver().code == 0
    world.ops.commit(files)
    must_fail(world, world.deliver(), code, *words)


@pytest.mark.parametrize(
    ("flags", "command", "words"),
    [
        (["--generator-memory=192Mi"],
         "for n in 1 2 3; do head -c 90M /dev/zero >$n; done; sleep 9",
         ["more than 192 MiB of memory", "or raise --generator-memory, which is 192Mi"]),
        (["--generator-memory=192Mi"], "exec dd if=/dev/zero of=a bs=1 count=1 seek=193M",
         ["(SIGXFSZ)", "larger than --generator-memory"]),
        (["--generator-processes=9"], "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 9 & done; wait",
         ["more than 9 processes", "or raise --generator-processes, which is 9"]),
        (["--generator-output=64Ki"], "yes",
         ["more than 0.0625 MiB", "or raise --generator-output, which is 64Ki"]),
    ],
)  # fmt: skip
def test_an_exceeded_bound_names_the_flag_that_moves_it(
    world: World, flags: list[str], command: str, words: list[str]
) -> None:
    assert world.deliver().code == 0
    world.ops.commit({SCRIPT: Executable(f"{command}\n")})
    must_fail(world, world.deliver(*flags), 3, *words)


def test_a_long_value_through_plain_base64_is_explained(world: World) -> None:
    assert world.deliver().code == 0
    world.put("demo", b"x" * 200 + b"\n")
    must_fail(world, world.deliver(), 3, "wraps at 76 columns")


def test_a_hanging_script_is_ended(world: World) -> None:
    assert world.deliver().code == 0
    world.ops.commit({SCRIPT: Executable("sleep 1000 &\nsleep 1000\n")})
    must_fail(world, world.deliver("--sync-timeout=1s"), 3, "did not end within 1 s")


def test_a_script_that_prints_without_end_is_ended(world: World) -> None:
    assert world.deliver().code == 0
    world.ops.commit({SCRIPT: Executable("yes 'some: text'\n")})
    must_fail(world, world.deliver(), 3, "printed more than 16 MiB")


def test_an_entry_for_others_names_its_recipients(world: World) -> None:
    assert world.deliver().code == 0
    stranger = world.gnupg.fingerprint("stranger@example.org")
    world.store.commit({"demo.gpg": world.gnupg.encrypt(b"x", [stranger])})
    must_fail(world, world.deliver(), 4, "not encrypted to this agent's keys", "it is encrypted to")


def test_an_entry_that_decrypts_to_nothing_is_refused(world: World) -> None:
    assert world.deliver().code == 0
    world.put("demo", b"")
    must_fail(world, world.deliver(), 4, "apps/demo", "decrypts to nothing")


def test_a_key_file_that_is_none_is_refused(world: World) -> None:
    assert world.deliver().code == 0
    world.key.write_text("not a key")
    must_fail(world, world.deliver(), 4, "flux.asc: the file holds no OpenPGP private key")
    world.key.unlink()
    must_fail(world, world.deliver(), 4, "flux.asc cannot be read")


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("nowhere", 3, ["git path 'nowhere' does not exist"]),
        ("/demo", 2, ["should not have leading forward slash"]),
        ("../demo", 2, ["leads out of the repository"]),
    ],
)
def test_a_git_path_that_is_not_there(world: World, path: str, code: int, words: list[str]) -> None:
    assert world.deliver().code == 0
    must_fail(world, world.deliver("--sync-garbage-collection", path=path), code, *words)


def test_a_branch_that_is_not_there(world: World) -> None:
    assert world.deliver().code == 0
    must_fail(world, world.deliver("--git-branch=nope"), 3, "has no branch 'nope'")


def test_a_git_host_that_does_not_answer(world: World) -> None:
    assert world.deliver().code == 0
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        done = world.deliver(
            f"--git-url=http://token:hunter2@127.0.0.1:{port}/o", "--git-timeout=1s"
        )
    must_fail(world, done, 5, "did not answer within 1 s")
    assert "hunter2" not in done.out + done.err


def test_an_api_server_that_is_not_there(world: World) -> None:
    assert world.deliver().code == 0
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    other = world.root / "gone.kubeconfig"
    other.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}],"
        f" clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}],"
        " contexts: [{name: c, context: {cluster: c, user: u}}]}"
    )
    must_fail(world, world.deliver(f"--kubeconfig={other}"), 5, "127.0.0.1")


def test_one_object_that_is_rejected_stops_no_other(world: World) -> None:
    service = f"{APPLICATION}/service.yaml"
    text = (world.ops.path / service).read_text().replace("port: 443", "port: 443000")
    world.ops.commit({service: text})
    done = world.deliver()
    assert done.code == 7
    assert "service/demo-service failed" in done.out
    assert "secret/demo-secret created" in done.out
    assert "deployment.apps/demo created" in done.out
    assert "remedy: " in done.err


def test_a_value_outside_a_secret_refuses_the_target(world: World) -> None:
    assert world.deliver().code == 0
    leak = "cat <<X\n" + MAP + "data: {password: $(gopass show -o apps/demo)}\nX\n"
    world.ops.commit({SCRIPT: Executable(leak)})
    done = world.deliver()
    must_fail(world, done, 4, "configmap/a", "apps/demo", "data.password")
    assert FIRST.decode().strip() not in done.out + done.err
    assert world.get("configmap", "a", "default") is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["deliver", "--nope"], ["No such option"]),
        (["deliver"], ["no application repository is named"]),
        (["deliver", "--git-url=ext::sh -c id"], ["not a git address"]),
        (["deliver", "--git-url=/ops", "--store=apps"], ["names an address but no store"]),
        (["deliver", "--git-url=/ops", "--sync-timeout=5"], ["--sync-timeout", "not a duration"]),
        (["nope"], ["No such command"]),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    world: World, arguments: list[str], words: list[str]
) -> None:
    done = world.run(*arguments)
    assert done.code == 2
    for word in words:
        assert word in done.err
