"""Flags and environment → settings; Flux v1's names, defaults and words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flux_secret.errors import ConfigurationError, FluxSecretError, UsageError
from flux_secret.model.bounds import Bounds
from flux_secret.model.names import StoreName
from flux_secret.model.store import Anchor
from flux_secret.model.target import GitSecret
from flux_secret.settings import Flags, Settings, current_kubeconfig, from_environment

HOME = {"HOME": "/nowhere", "PATH": "/usr/bin"}


def load(environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return Settings.load(Flags(git_url="file:///ops", **flags), {**HOME, **(environ or {})})  # type: ignore[arg-type]  # the test names fields


def test_flux_defaults() -> None:
    settings = load()
    (target,) = settings.targets
    assert (target.path, target.name, target.source.branch) == ("", "/", "master")
    assert not target.generation.enabled
    assert not target.prune
    assert target.generation.timeout_seconds == 60
    assert settings.git.timeout_seconds == 20
    assert (settings.apps[0].sync_seconds, settings.git_poll_interval_seconds) == (300, 300)
    assert settings.cluster.namespace == "flux"
    assert settings.git.cache == Path("/nowhere/.cache/flux-secret")


def test_git_paths_may_be_repeated_and_separated_by_commas() -> None:
    settings = load(git_path=("demo/overlay/dev,platform/", "./other//x", "platform"))
    assert [target.path for target in settings.targets] == [
        "demo/overlay/dev",
        "platform",
        "other/x",
    ]


def test_the_bounds_of_generators_are_sizes_as_kubernetes_writes_them() -> None:
    assert load().generator_bounds == Bounds()
    bounds = load(
        generator_memory="1.5G", generator_processes=9, generator_output="1Mi",
        generator_tmp="4096",
    ).generator_bounds  # fmt: skip
    assert bounds == Bounds(1_500_000_000, 9, 1 << 20, 4096)


@pytest.mark.parametrize(
    ("flag", "given", "words"),
    [
        ("memory", "1GB", "--generator-memory: '1GB' is not a size"),
        ("memory", "31Mi", "--generator-memory 31Mi is less than any command needs"),
        ("output", "0", "--generator-output 0 is less than"),
        ("tmp", "1Ki", "--generator-tmp 1Ki is less than"),
        ("processes", 7, "--generator-processes 7 is less than"),
    ],
)
def test_a_bound_that_no_command_can_keep_is_refused(flag: str, given: object, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        load({}, **{f"generator_{flag}": given})


def test_every_target_may_read_every_store_as_in_the_walkthrough() -> None:
    settings = load(git_path=("a,b",), store=("apps=git@host:org/secrets", "team/x=/stores/x"))
    assert {str(name) for name in settings.targets[1].stores} == {"apps", "team/x"}
    assert str(next(iter(settings.stores.values()))) == "git@host:org/secrets"


def test_generator_env_takes_a_value_or_the_environments() -> None:
    settings = load({"STAGE": "dev"}, generator_env=("APPLICATIONSTORE=apps", "STAGE", "EMPTY="))
    assert settings.targets[0].generation.env == {
        "APPLICATIONSTORE": "apps", "STAGE": "dev", "EMPTY": ""
    }  # fmt: skip


def test_the_walkthroughs_script_gets_its_variable_without_a_flag() -> None:
    (target,) = load(store=("apps=/stores/apps",)).targets
    assert target.generation.env == {"APPLICATIONSTORE": "apps"}
    (target,) = load({"APPLICATIONSTORE": "team"}, store=("a=/a", "b=/b")).targets
    assert target.generation.env == {"APPLICATIONSTORE": "team"}
    named = load(store=("apps=/a",), generator_env=("APPLICATIONSTORE=other",)).targets[0]
    assert named.generation.env == {"APPLICATIONSTORE": "other"}


def test_stores_are_also_read_from_a_folder(tmp_path: Path) -> None:
    assert load(stores_from=tmp_path / "none").stores == {}
    (tmp_path / "apps").write_text("git@host:org/secrets\n")
    (tmp_path / ".apps.half").write_text("git@ho")
    settings = load(stores_from=tmp_path, store=("team=/stores/x",))
    assert sorted(map(str, settings.stores)) == ["apps", "team"]
    assert len(settings.targets[0].stores) == 2


@pytest.mark.parametrize("content", [b"\xff\xfe", b"ext::sh", b""])
def test_a_folder_of_stores_with_a_wrong_address_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "apps").write_bytes(content)
    with pytest.raises(FluxSecretError) as caught:
        load(stores_from=tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"git_path": ("/demo",)}, "should not have leading forward slash"),
        ({"git_path": ("a/../..",)}, "leads out of the repository"),
        ({"git_branch": "--upload-pack=x"}, "not a branch name"),
        ({"store": ("apps",)}, "names an address but no store"),
        ({"store": ("a b=/x",)}, "not a store name"),
        ({"store": ("a=/x", "a=/y")}, "given twice"),
        ({"store": ("a=ext::sh",)}, "not a git address"),
        ({"generator_env": ("NOPE",)}, "not set in the environment"),
        ({"generator_env": ("a-b=c",)}, "not a variable's name"),
        ({"sync_timeout": "60"}, "--sync-timeout: '60' is not a duration"),
        ({"sync_interval": "-5m"}, "--sync-interval"),
    ],
)
def test_a_wrong_flag_is_named_with_its_remedy(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load(None, **flags)
    assert caught.value.remedy


def test_without_a_repository_there_is_nothing_to_do() -> None:
    with pytest.raises(UsageError, match="no application repository"):
        Settings.load(Flags(), HOME)


def test_a_password_in_a_refused_address_is_not_shown() -> None:
    with pytest.raises(FluxSecretError) as caught:
        Settings.load(Flags(git_url="ftp://me:hunter2@host/x"), HOME)
    assert "hunter2" not in f"{caught.value.what}{caught.value.remedy}"


def test_keys_come_from_files_or_else_from_the_gnupg_home(tmp_path: Path) -> None:
    environ = {"GNUPGHOME": str(tmp_path)}
    assert load(environ).keys.gnupg_home == tmp_path
    keys = load(environ, git_gpg_key_import=(Path("/etc/fluxd/flux.asc"),)).keys
    assert keys.gnupg_home == tmp_path, "it decrypts when only public keys were imported"
    assert keys.files == (Path("/etc/fluxd/flux.asc"),)


def test_files_of_the_repository_are_opened_only_where_a_flag_says_so() -> None:
    (target,) = load().targets
    assert (target.generation.sops, target.generation.git_secret) == (False, None)
    (target,) = load(sops=True, git_secret=True).targets
    assert (target.generation.sops, target.generation.git_secret) == (True, GitSecret())
    named = {"SECRETS_DIR": "keep/hidden", "SECRETS_EXTENSION": ".gpg"}
    (target,) = load(named, git_secret=True).targets
    assert target.generation.git_secret == GitSecret("keep/hidden", ".gpg")


@pytest.mark.parametrize(
    "named", [{"SECRETS_DIR": "../x"}, {"SECRETS_DIR": "/x"}, {"SECRETS_EXTENSION": "/x"}]
)
def test_git_secrets_variables_stay_in_the_repository(named: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(named))):
        load(named, git_secret=True)


def test_age_keys_are_found_as_sops_finds_them(tmp_path: Path) -> None:
    usual = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    home = {"HOME": str(tmp_path)}
    assert load(home, sops=True).keys.age_file is None
    usual.parent.mkdir(parents=True)
    usual.write_text("x")
    assert load(home).keys.age_file is None
    assert load(home, sops=True).keys.age_file == usual
    named = {**home, "SOPS_AGE_KEY_FILE": "/mounted/keys.txt"}
    assert load(named, sops=True).keys.age_file == Path("/mounted/keys.txt")


def test_the_kubeconfig_is_found_as_kubectl_finds_it(tmp_path: Path) -> None:
    assert load({"KUBECONFIG": "/a/config"}).cluster.kubeconfig == Path("/a/config")
    assert load().cluster.kubeconfig is None
    usual = tmp_path / ".kube" / "config"
    usual.parent.mkdir()
    usual.touch()
    assert load({"HOME": str(tmp_path)}).cluster.kubeconfig == usual
    with pytest.raises(ConfigurationError, match="several files"):
        load({"KUBECONFIG": "/a:/b"})
    with pytest.raises(ConfigurationError, match="no current cluster"):
        current_kubeconfig(HOME)


def test_the_environment_gives_options_repeated_ones_by_blanks() -> None:
    environ = {"FLUX_SECRET_GIT_URL": "/ops", "FLUX_SECRET_STORE": "a=/x b=/y", "GIT_URL": "no"}
    options = {"git_url": False, "store": True, "git_path": True}
    assert from_environment(options, environ) == {"git_url": "/ops", "store": ["a=/x", "b=/y"]}


@pytest.mark.parametrize(
    ("listen", "token", "only_key"),
    [
        ("127.0.0.1:3030", None, False),
        (":3030", None, True),
        ("0.0.0.0:3030", None, True),
        (":3030", Path("token"), False),
        ("10.1.2.3:3030", Path("token"), False),
    ],
)
def test_without_a_token_whoever_asks_from_elsewhere_is_given_the_public_key_only(
    listen: str, token: Path | None, *, only_key: bool
) -> None:
    loaded = load(listen=listen, listen_token_file=token)
    assert loaded.listen.only_key_elsewhere is only_key


def test_an_address_where_nobody_could_ask_anything_is_refused() -> None:
    with pytest.raises(UsageError, match="can be reached from elsewhere") as caught:
        load(listen="10.1.2.3:3030")
    assert "--listen-token-file" in caught.value.remedy


def test_a_webhook_has_an_address_and_secrets_or_neither() -> None:
    file = Path("secrets")
    loaded = load(listen_webhook=":9292", webhook_secret_file=file).listen
    assert (str(loaded.webhook), loaded.webhook_secret_file) == (":9292", file)
    with pytest.raises(UsageError, match="has no secret"):
        load(listen_webhook=":9292")
    with pytest.raises(UsageError, match="nothing listens for webhooks"):
        load(webhook_secret_file=file)
    with pytest.raises(UsageError, match="--listen-webhook 'x' is no address"):
        load(listen_webhook="x", webhook_secret_file=file)


def test_where_probes_ask_and_when_it_is_unhealthy() -> None:
    loaded = load(listen_health="0.0.0.0:9440", unhealthy_after="1h").listen
    assert (str(loaded.health), loaded.unhealthy_after_seconds) == ("0.0.0.0:9440", 3600.0)
    assert load().listen.health is None
    with pytest.raises(UsageError, match="--unhealthy-after: "):
        load(unhealthy_after="soon")


def test_a_trust_anchor_is_a_commit_or_a_file_of_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n\nopenpgp:{'a' * 40} # alice\n")
    apps, team = StoreName("apps"), StoreName("team/x")
    loaded = load(
        store_anchor=[f"apps={'0' * 64}"],
        store_owner_keys=[f"team/x={keys}"],
        accept_store_rewind=[f"apps={'1' * 40}"],
        cluster_name="prod",
    )
    assert loaded.anchors[apps] == Anchor("0" * 64)
    assert [str(key) for key in loaded.anchors[team].keys] == [f"openpgp:{'A' * 40}"]
    assert loaded.accepted_rewinds == {apps: "1" * 40}
    assert loaded.cluster_name == "prod"


@pytest.mark.parametrize("content", ["", "# nobody\n", "alice@example.org\n", "x" * 70_000])
def test_a_file_of_keys_without_keys_anchors_nothing(tmp_path: Path, content: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text(content)
    with pytest.raises((UsageError, ConfigurationError)):
        load(store_owner_keys=[f"apps={keys}"])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(store_owner_keys=[f"apps={tmp_path / 'none'}"])


@pytest.mark.parametrize("flag", ["store_anchor", "accept_store_rewind"])
@pytest.mark.parametrize("text", ["apps", "apps=", "apps=main", f"apps={'A' * 40}"])
def test_a_commit_is_named_by_its_whole_id(flag: str, text: str) -> None:
    with pytest.raises(UsageError, match="by its whole id"):
        load(None, **{flag: [text]})
