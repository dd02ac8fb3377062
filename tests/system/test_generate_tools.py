"""The tools that commands find, and the channel they ask through, in real shells."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux_secret.errors import BugError, ConfigurationError, DecryptError, GenerateError
from flux_secret.generate.answering import GopassAnswers
from flux_secret.generate.interface import Answer
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Generation
from flux_secret.outside import kubectl
from flux_secret.outside.callchannel import MAX_WORDS, Ask
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Outcome, Workshop, Workshops
from simulators.store_reader import SimulatedReader

PATH = os.environ["PATH"]
CALLS = '"$(dirname "$(command -v gopass)")/../calls"'
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@dataclass
class Echo:
    """Notes what it is asked and answers always the same."""

    value: bytes = b"answer\n"
    asked: list[list[str]] = field(default_factory=list)

    async def ask(self, words: Sequence[str]) -> Answer:
        self.asked.append(list(words))
        return Answer(0, Plaintext(self.value))


@asynccontextmanager
async def opened(
    checkout: Path, env: Mapping[str, str], ask: Ask, *, path: str
) -> AsyncIterator[Workshop]:
    """Open a workshop in the sandbox that works here."""
    async with Supervisors() as supervisors:
        sandbox = await find_sandbox(os.environ["PATH"], supervisors)
        workshops = Workshops(path, sandbox, supervisors)
        async with workshops.open(Generation(env=env), checkout, ask) as workshop:
            yield workshop


async def run(place: Path, command: str, echo: Echo | None = None, *, path: str = PATH) -> Outcome:
    async with opened(place, {"GIVEN": "yes"}, (echo or Echo()).ask, path=path) as workshop:
        return await workshop.run(command, cwd=place, timeout_seconds=60.0)


@pytest.mark.parametrize("shell", ["dash", "bash", "bash --posix", "busybox sh"])
async def test_any_words_and_any_bytes_come_through(tmp_path: Path, shell: str) -> None:
    echo = Echo(bytes(range(256)) * 700 + b"\n\n")
    words = "show 'two words' \"quo'te\" '' '-n' 'line\nbreak' '*' '$HOME' '\\\\0' 'ü'"
    done = await run(tmp_path, f'{shell} "$(command -v gopass)" {words}', echo)
    assert (done.returncode, done.untrusted_stderr) == (0, b"")
    assert done.untrusted_stdout.reveal() == echo.value
    assert echo.asked == [
        ["show", "two words", "quo'te", "", "-n", "line\nbreak", "*", "$HOME", "\\\\0", "ü"]
    ]


async def test_bytes_that_are_no_text_arrive_as_such(tmp_path: Path) -> None:
    echo = Echo()
    await run(tmp_path, "gopass \"$(printf 'a\\377b')\"", echo)
    assert echo.asked == [["a\udcffb"]]


async def test_a_call_reads_nothing_of_its_scripts_input(tmp_path: Path) -> None:
    command = "printf '1\\n2\\n3\\n' | while read -r n; do gopass \"e$n\" >/dev/null; done"
    echo = Echo()
    await run(tmp_path, command, echo)
    assert echo.asked == [["e1"], ["e2"], ["e3"]]


async def test_a_failure_goes_to_stderr_with_its_exit_code(tmp_path: Path) -> None:
    answers = GopassAnswers(SimulatedReader({}, damaged=["apps/demo"]))
    async with opened(tmp_path, {}, answers.answer, path=PATH) as workshop:
        done = await workshop.run("gopass apps/demo", cwd=tmp_path, timeout_seconds=60.0)
    assert (done.returncode, done.untrusted_stdout.reveal()) == (11, b"")
    assert done.untrusted_stderr.startswith(b"Error: apps/demo is damaged")
    assert isinstance(answers.refusal, DecryptError)


@pytest.mark.parametrize(
    "command",
    [
        "gopass sync &> /dev/null; wait",
        "gopass sync",
        "gopass --yes sync",
    ],
)
async def test_sync_prints_nothing_at_all(tmp_path: Path, command: str) -> None:
    answers = GopassAnswers(SimulatedReader({}))
    async with opened(tmp_path, {}, answers.answer, path=PATH) as workshop:
        done = await workshop.run(command, cwd=tmp_path, timeout_seconds=60.0)
    assert (done.untrusted_stdout.reveal(), done.untrusted_stderr) == (b"", b"")


async def test_a_reader_that_has_enough_ends_a_call_without_harm(tmp_path: Path) -> None:
    echo = Echo(b"first line\n" + b"x" * 5_000_000)
    done = await run(tmp_path, "gopass e | head -n 1; gopass e | head -c 5; echo; gopass e", echo)
    assert done.untrusted_stdout.reveal() == b"first line\nfirst\n" + echo.value


async def test_a_broken_pipe_ends_programs_quietly_as_in_a_shell(tmp_path: Path) -> None:
    done = await run(tmp_path, "yes | head -n 1")
    assert (done.untrusted_stdout.reveal(), done.untrusted_stderr) == (b"y\n", b"")


async def test_calls_that_are_killed_hang_nothing(tmp_path: Path) -> None:
    """At each step of the protocol: after the name, after the words, before the answer is read."""
    command = (
        f"calls={CALLS}\n"
        'mkfifo "$calls/1" "$calls/2"\n'
        'echo 1 > "$calls/requests"; echo 2 > "$calls/requests"; echo 3 > "$calls/requests"\n'
        "printf '1\\0apps/demo\\0' > \"$calls/2\"\n"
        "gopass e & kill -9 $!\n"
        "gopass e\n"
    )
    echo = Echo()
    done = await run(tmp_path, command, echo)
    assert done.untrusted_stdout.reveal() == echo.value


async def test_a_link_in_the_channel_is_never_followed(tmp_path: Path) -> None:
    """The agent may write where the script may not: it must not be led there."""
    (tmp_path / "target").write_text("untouched")
    command = (
        f"calls={CALLS}\n"
        f'ln -s {tmp_path}/target "$calls/7"; echo 7 > "$calls/requests"\n'
        'mkfifo "$calls/8"; echo 8 > "$calls/requests"\n'
        "printf '1\\0apps/demo\\0' > \"$calls/8\"\n"
        f'rm "$calls/8"; ln -s {tmp_path}/target "$calls/8"\n'
        'echo ../../../etc/passwd > "$calls/requests"\n'
        "gopass e > /dev/null; gopass e\n"
    )
    echo = Echo()
    done = await run(tmp_path, command, echo)
    assert done.untrusted_stdout.reveal() == echo.value
    assert (tmp_path / "target").read_text() == "untouched"


async def test_noise_on_the_channel_does_not_disturb_calls(tmp_path: Path) -> None:
    command = f"head -c 300000 /dev/urandom > {CALLS}/requests; echo > {CALLS}/requests; gopass e"
    done = await run(tmp_path, command)
    assert done.untrusted_stdout.reveal() == b"answer\n"


async def test_words_without_end_are_refused(tmp_path: Path) -> None:
    command = f'gopass "$(head -c {MAX_WORDS + 9000} /dev/zero | tr "\\0" x)" || true; echo more'
    with pytest.raises(GenerateError, match=f"more than {MAX_WORDS} bytes of arguments"):
        await run(tmp_path, command)


async def test_a_bug_while_answering_leaves_no_script_waiting(tmp_path: Path) -> None:
    async def broken(_words: Sequence[str]) -> Answer:
        raise RuntimeError("hunter2")

    async with opened(tmp_path, {}, broken, path=PATH) as workshop:
        with pytest.raises(BugError) as caught:
            await workshop.run("gopass e || echo ok", cwd=tmp_path, timeout_seconds=60.0)
    assert "hunter2" not in f"{caught.value.what}{caught.value.__cause__}"


async def test_a_question_that_outlives_its_command_is_answered_before_the_end(
    tmp_path: Path,
) -> None:
    """Else its refusal would come too late to count."""
    ended: list[str] = []

    async def slow(words: Sequence[str]) -> Answer:
        (tmp_path / "asked").touch()
        await asyncio.sleep(0.2)
        ended.extend(words)
        return Answer(0, Plaintext(b""))

    command = "gopass e & while [ ! -e asked ]; do :; done"
    async with opened(tmp_path, {}, slow, path=PATH) as workshop:
        await workshop.run(command, cwd=tmp_path, timeout_seconds=60.0)
        assert ended == ["e"]


async def test_commands_share_a_scratch_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    async with opened(tmp_path, {}, Echo().ask, path=PATH) as workshop:
        await workshop.run('echo x > "$HOME/x"', cwd=tmp_path, timeout_seconds=60.0)
        done = await workshop.run(
            'cat "$HOME/x"; echo "$HOME"; echo "$TMPDIR"', cwd=tmp_path, timeout_seconds=60.0
        )
    x, home, temporary = done.untrusted_stdout.reveal().decode().splitlines()
    assert x == "x"
    assert not Path(home).parent.exists()
    assert Path(home).parent == Path(temporary).parent


async def test_the_settings_may_name_another_path_and_home(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": f"{PATH}:/opt/named", "LANG": "C"}
    async with opened(tmp_path, env, Echo().ask, path="/nowhere") as workshop:
        done = await workshop.run(
            'echo "$HOME|$LANG|$PATH"; gopass e', cwd=tmp_path, timeout_seconds=60.0
        )
    first, second = done.untrusted_stdout.reveal().decode().splitlines()
    assert first.startswith(f"{tmp_path}|C|")
    assert first.endswith(f"/bin:{PATH}:/opt/named")
    assert second == "answer"


async def test_a_directory_that_a_command_removed_is_an_error_of_the_next(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    place.mkdir()
    async with opened(tmp_path, {}, Echo().ask, path=PATH) as workshop:
        await workshop.run("rm -r ../demo", cwd=place, timeout_seconds=60.0)
        with pytest.raises(GenerateError, match="no such directory"):
            await workshop.run("true", cwd=place, timeout_seconds=60.0)


async def test_complaints_that_were_cut_do_not_begin_in_the_middle(tmp_path: Path) -> None:
    done = await run(tmp_path, "seq 100000 >&2")
    first, *_, last = done.untrusted_stderr.split()
    assert last == b"100000"
    assert len(first) == 5
    assert len(done.untrusted_stderr) < 300_000


def kustomization(place: Path) -> None:
    (place / "base").mkdir()
    (place / "overlay").mkdir()
    (place / "base" / "map.yaml").write_text(MAP)
    (place / "overlay" / "kustomization.yaml").write_text("resources: [../base/map.yaml]\n")


def without_kustomize(place: Path) -> str:
    """Give a PATH with the programs that are needed, and no kustomize or kubectl."""
    tools = place / "tools"
    tools.mkdir()
    for name in ("cat", "sh", "env", "mkfifo"):
        (tools / name).symlink_to(shutil.which(name) or "")
    return str(tools)


@pytest.mark.parametrize(
    "options",
    [
        "--load_restrictor none .",
        "--load_restrictor=none .",
        "--load-restrictor LoadRestrictionsNone .",
        ". --load_restrictor LoadRestrictionsNone",
    ],
)
async def test_options_of_kustomize_3_are_understood(tmp_path: Path, options: str) -> None:
    kustomization(tmp_path)
    path = without_kustomize(tmp_path)
    done = await run(tmp_path, f"cd overlay && kustomize build {options}", path=path)
    assert (done.returncode, done.untrusted_stderr) == (0, b"")
    assert b"kind: ConfigMap" in done.untrusted_stdout.reveal()


async def test_kustomize_says_what_it_cannot_do(tmp_path: Path) -> None:
    done = await run(tmp_path, "kustomize edit set image a=b", path=without_kustomize(tmp_path))
    assert done.returncode == 64
    assert b"kustomize edit: kubectl's kustomize can only build" in done.untrusted_stderr


async def test_a_real_kustomize_is_left_alone(tmp_path: Path) -> None:
    path = without_kustomize(tmp_path)
    real = Path(path) / "kustomize"
    real.write_text('#!/bin/sh\necho the real one: "$@"\n')
    real.chmod(0o755)
    done = await run(tmp_path, "kustomize build x", path=path)
    assert done.untrusted_stdout.reveal() == b"the real one: build x\n"


def fake_kubectl(folder: str, version: str, kustomize: str) -> None:
    program = Path(folder) / "kubectl"
    told = f'{{"clientVersion": {{"gitVersion": "{version}"}}, "kustomizeVersion": "{kustomize}"}}'
    program.write_text(f"#!/bin/sh\necho '{told}'\n")
    program.chmod(0o755)


async def test_a_kubectl_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = without_kustomize(tmp_path)
    fake_kubectl(path, "v1.20.2", "")
    monkeypatch.setattr(kubectl, "_carried", lambda: None)
    done = await run(tmp_path, "kustomize build .", path=path)
    assert done.returncode == 127
    assert b"too old: kubectl v1.20.2" in done.untrusted_stderr
    assert b"flux-secret[kubectl]" in done.untrusted_stderr


async def test_a_newer_one_that_a_package_carries_is_used_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = without_kustomize(tmp_path)
    fake_kubectl(path, "v1.20.2", "")
    newer = tmp_path / "carried"
    newer.mkdir()
    fake_kubectl(str(newer), "v1.37.1", "v5.8.1")
    monkeypatch.setattr(kubectl, "_carried", lambda: newer / "kubectl")
    assert await kubectl.find_kustomizing_kubectl(path) == newer / "kubectl"


async def test_without_any_kubectl_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubectl, "_carried", lambda: None)
    with pytest.raises(ConfigurationError) as caught:
        await kubectl.find_kustomizing_kubectl(str(tmp_path))
    assert "flux-secret[kubectl]" in caught.value.remedy
