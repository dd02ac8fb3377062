"""Flags → targets: what is delivered, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from flux_secret.errors import UsageError
from flux_secret.model.duration import parse_duration
from flux_secret.model.flux_v1 import SyncSet
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import APPLICATION_STORE, Generation, GitSecret, Source, Target
from flux_secret.settings.address import expanded
from flux_secret.settings.flags import Flags
from flux_secret.settings.restart import policy_of


def targets_of(
    flags: Flags, stores: frozenset[StoreName], environ: Mapping[str, str]
) -> Iterator[Target]:
    """Give one target a git path, in the order in which they were named."""
    if not flags.git_url:
        raise UsageError(
            "no application repository is named", remedy="name it: --git-url git@host:org/repo"
        )
    source = Source(GitUrl.parse(expanded(flags.git_url, environ)), _branch(flags.git_branch))
    generation = Generation(
        enabled=flags.manifest_generation,
        env={
            **_walkthrough_env(stores, environ),
            **dict(_generator_env(flags.generator_env, environ)),
        },
        timeout_seconds=seconds("--sync-timeout", flags.sync_timeout),
        sops=flags.sops,
        git_secret=_git_secret(environ) if flags.git_secret else None,
    )
    allowed = frozenset(parts([*flags.k8s_allow_namespace, *flags.k8s_namespace_whitelist]))
    restart = policy_of(flags)
    paths = dict.fromkeys(map(_git_path, parts(flags.git_path) or [""]))
    networked = frozenset(map(_git_path, parts(flags.generator_network)))
    if unknown := networked - paths.keys():
        raise UsageError(
            f"--generator-network names {min(unknown) or '/'}, which is no --git-path",
            remedy="name one of the git paths, as it is written there",
        )
    for path in paths:
        yield Target(
            source=source,
            path=path,
            stores=stores,
            generation=replace(generation, network=path in networked),
            # as under Flux v1, where the second flag implies the first
            prune=flags.sync_garbage_collection or flags.sync_garbage_collection_dry,
            prune_dry=flags.sync_garbage_collection_dry,
            allowed_namespaces=allowed,
            default_namespace="",  # the context's, which is known once the cluster is
            restart=restart,
        )


def daemon_of(flags: Flags, source: Source) -> SyncSet:
    """Give the daemon of Flux v1 that had these flags: its marks on objects are ours to adopt."""
    return SyncSet.of(source.url, source.branch, parts(flags.git_path))


def parts(texts: Sequence[str]) -> list[str]:
    """Open comma lists, as Go's flags do."""
    return [part for text in texts for part in text.split(",")]


def _branch(text: str) -> str:
    if not text or text.startswith(("-", "/")) or ".." in text or not text.isprintable():
        raise UsageError(f"{text!r} is not a branch name", remedy="as in --git-branch main")
    return text


def _git_path(text: str) -> str:
    text = text.strip()
    if text.startswith("/"):
        raise UsageError(  # Flux v1's own words, facts/flux-v1.md §1.2
            "subdirectory given as --git-path should not have leading forward slash",
            remedy=f"write --git-path={text.lstrip('/')}",
        )
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts or not text.isprintable():
        raise UsageError(
            f"--git-path {text!r} leads out of the repository", remedy="name a path inside it"
        )
    return "/".join(parts)


def _git_secret(environ: Mapping[str, str]) -> GitSecret:
    """Read git-secret's own variables, which Flux v1 handed on to it."""
    usual = GitSecret()
    folder = environ.get("SECRETS_DIR") or usual.folder
    ending = environ.get("SECRETS_EXTENSION") or usual.ending
    if folder.startswith("/") or ".." in folder.split("/") or not folder.isprintable():
        raise UsageError(
            f"SECRETS_DIR names {folder[:80]!a}, which is no folder of the repository",
            remedy="name it as git-secret does, as in SECRETS_DIR=.gitsecret",
        )
    if "/" in ending or not ending.isprintable():
        raise UsageError(
            f"SECRETS_EXTENSION is {ending[:80]!a}, which ends no file's name",
            remedy="set it as git-secret has it, as in SECRETS_EXTENSION=.secret",
        )
    return GitSecret(folder, ending)


def _walkthrough_env(stores: frozenset[StoreName], environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variable of the walkthrough's script: as the environment has it, or the one store.

    Flux v1 passed its whole environment on, so nobody had to name it.
    """
    if APPLICATION_STORE in environ:
        return {APPLICATION_STORE: environ[APPLICATION_STORE]}
    return {APPLICATION_STORE: str(next(iter(stores)))} if len(stores) == 1 else {}


def _generator_env(texts: Sequence[str], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, separator, value = text.partition("=")
        if not name.isidentifier() or not name.isascii():
            raise UsageError(
                f"{name!r} is not a variable's name", remedy="--generator-env NAME or NAME=VALUE"
            )
        if not separator and name not in environ:
            raise UsageError(
                f"--generator-env {name} is not set in the environment",
                remedy=f"give its value: --generator-env {name}=VALUE",
            )
        yield name, value if separator else environ[name]


def seconds(flag: str, text: str) -> float:
    """Read a Go duration; the error names the flag."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise UsageError(f"{flag}: {error.what}", remedy=error.remedy) from None
