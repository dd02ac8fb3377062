"""An App as people write it → an App as it is delivered; the same in a file and in the cluster.

    apiVersion: flux-secret.io/v1alpha1
    kind: App
    metadata: {name: demo, namespace: dev-demo}
    spec:
      source: {url: git@git.example.org:org/ops, branch: main}
      path: demo/overlay/dev
      stores: [apps]

What it may do follows from where it lies: an App writes its own namespace, and reads what each
Store lets that namespace read. One in the agent's namespace is an administrator's: it may name
other namespaces, and `*` for all of them with what lies in none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.app import FIRST_RETRY_SECONDS, App, AppName, Removal
from flux_secret.model.fields import Fields, bad
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.restart import RestartPolicy, parse_restart
from flux_secret.model.store import EVERY, Store
from flux_secret.model.target import APPLICATION_STORE, Generation, Source, Target

SHORTEST_SECONDS: Final = 1.0  # of an interval
SYNC_SECONDS: Final = 300.0
COMMAND_SECONDS: Final = 60.0
_SPEC: Final = (
    "source", "path", "stores", "interval", "retryInterval", "timeout", "prune", "deletionPolicy",
    "suspend", "serviceAccountName", "targetNamespace", "namespaces", "generate", "restart",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AppSpec:
    """What one document says."""

    name: AppName
    source: Source
    path: str
    stores: tuple[str, ...] = ()
    """Names of Stores."""
    sync_seconds: float = SYNC_SECONDS
    retry_seconds: float = FIRST_RETRY_SECONDS
    generation: Generation = field(default_factory=Generation)
    prune: bool = True
    removal: Removal = Removal.PRUNE
    suspended: bool = False
    service_account: str = ""
    target_namespace: str = ""
    namespaces: tuple[str, ...] = ()
    restart: RestartPolicy | None = None

    def app(self, stores: Mapping[str, Store], agent_namespace: str) -> App:
        """Give what is delivered; raise `ConfigurationError` for what it may not ask for."""
        here = self.name.namespace
        is_ours = here == agent_namespace
        namespaces = frozenset(self.namespaces or (here,))
        if not is_ours and (namespaces - {here} or self.generation.network):
            asked = min(namespaces - {here}, default="the network for its generators")
            raise ConfigurationError(
                f"App {self.name} asks for {asked}, which only an App in namespace "
                f"{agent_namespace} may",
                remedy=f"let an administrator make it there, or leave it to namespace {here}",
            )
        everywhere = EVERY in namespaces
        granted = {
            _mount(name, stores): stores[name].granted(here) if name in stores else ()
            for name in self.stores
        }
        target = Target(
            source=self.source,
            path=self.path,
            stores=frozenset(granted),
            generation=_with_store(self.generation, granted),
            prune=self.prune,
            allowed_namespaces=frozenset() if everywhere else namespaces,
            default_namespace=self.target_namespace or here,
            restart=self.restart,
            app=str(self.name),
            grants=granted,
            cluster_scoped=everywhere,
            service_account=self.service_account and f"{here}:{self.service_account}",
        )
        return App(
            self.name, (target,), self.sync_seconds, self.retry_seconds, self.suspended,
            self.removal,
        )  # fmt: skip


def parse_app(name: AppName, spec: object) -> AppSpec:
    """Read `spec`; raise `ConfigurationError`."""
    fields = Fields(spec, f"App {name}: spec", _SPEC)
    source = fields.within("source", ("url", "branch"))
    url = source.read("url", GitUrl.parse)
    if url.login is not None:
        raise bad(
            f"{source.place('url')} holds a user or a password",
            "leave it out: the agent's --git-credentials-file has it",
        )
    generate = fields.within("generate", ("enabled", "env", "network"))
    interval = interval_of(fields, "interval", SYNC_SECONDS)
    return AppSpec(
        name=name,
        source=Source(url, source.read("branch", branch_name)),
        path=fields.read("path", repository_path, ""),
        stores=fields.texts("stores"),
        sync_seconds=interval,
        retry_seconds=min(interval, interval_of(fields, "retryInterval", FIRST_RETRY_SECONDS)),
        generation=Generation(
            enabled=generate.flag("enabled", default=True),
            env=_variables(generate),
            network=generate.flag("network", default=False),
            timeout_seconds=interval_of(fields, "timeout", COMMAND_SECONDS),
        ),
        prune=fields.flag("prune", default=True),
        removal=Removal(
            fields.one_of("deletionPolicy", [one.value for one in Removal], Removal.PRUNE.value)
        ),
        suspended=fields.flag("suspend", default=False),
        service_account=fields.name("serviceAccountName", ""),
        target_namespace=fields.name("targetNamespace", ""),
        namespaces=fields.texts("namespaces"),
        restart=parse_restart(fields.raw("restart"), fields.place("restart"))
        if fields.has("restart")
        else None,
    )


def branch_name(text: str) -> str:
    """Read a branch's name; raise `UsageError`."""
    if not text or text.startswith(("-", "/")) or ".." in text or not text.isprintable():
        raise UsageError(
            f"{text[:80]!a} is not a branch name", remedy="write it as git has it: main"
        )
    return text


def repository_path(text: str) -> str:
    """Read a path inside a repository; raise `UsageError`."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if text.startswith("/") or ".." in parts or not text.isprintable():
        raise UsageError(
            f"{text[:80]!a} is no path inside the repository",
            remedy="write it from the repository's root, as demo/overlay/dev",
        )
    return "/".join(parts)


def interval_of(fields: Fields, name: str, default: float) -> float:
    """Read a duration of at least 1 s, in seconds; raise `ConfigurationError`."""
    seconds = fields.seconds(name, default)
    if seconds < SHORTEST_SECONDS:
        raise bad(f"{fields.place(name)} is shorter than 1s", "write 30s, 5m or 1h")
    return seconds


def _variables(generate: Fields) -> Mapping[str, str]:
    env = generate.mapping("env")
    for name in env:
        if not name.isidentifier() or not name.isascii():
            raise bad(
                f"{generate.place('env')} has {name[:80]!a}, which is no variable's name",
                "use letters, digits and '_'",
            )
    return env


def _mount(name: str, stores: Mapping[str, Store]) -> StoreName:
    return stores[name].name if name in stores else StoreName.parse(name)


def _with_store(generation: Generation, granted: Mapping[StoreName, object]) -> Generation:
    """Give the walkthrough's script its variable where there is one store to name."""
    if len(granted) != 1 or APPLICATION_STORE in generation.env:
        return generation
    env = {APPLICATION_STORE: str(next(iter(granted))), **generation.env}
    return Generation(
        enabled=generation.enabled, env=env, network=generation.network,
        timeout_seconds=generation.timeout_seconds,
    )  # fmt: skip
