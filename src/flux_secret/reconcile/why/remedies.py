"""A break → the lines for a shell that mend it. Pure.

Lines that change a file are for a clone of the application repository; those that change a store
are for whoever has it. Every name from outside is quoted for the shell.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

from flux_secret.errors import (
    EmptyValueError,
    EntryNotFoundError,
    FluxSecretError,
    ForbiddenError,
    HeldError,
    KeyNotFoundError,
    NotOursError,
    ReadRefusedError,
    RejectedError,
)
from flux_secret.model.names import ObjectKey
from flux_secret.model.reference import Lookup, Part
from flux_secret.model.why import Place
from flux_secret.reconcile.why.seen import Again, EntryFacts, KeyFacts

Lines = tuple[str, ...]
_EDITOR: Final = "${EDITOR:-vi}"
_NOT_EXECUTABLE: Final = 126
_ROLE: Final = re.compile(
    r"kubectl (?:-n (?P<namespace>\S+) )?create (?P<kind>role|clusterrole) (?P<name>\S+) "
    r"--verb=\S+ --resource=[^\s,]+"
)
_PUT: Final = "kubectl apply --server-side --force-conflicts -f -"
_KEYSCAN: Final = re.compile(r"`(ssh-keyscan [^`]+)`")
_ACCEPT: Final = re.compile(r"flux-secret store accept-rewind \S+ --instead-of \S+ --store \S+")
_ACCEPTED: Final = re.compile(r"(--accept-store-rewind) (\S+=[0-9a-f]+)")
_CREATE: Final = re.compile(r"(kubectl create namespace \S+)")
_GOING: Final = re.compile(r"namespace (?:\S+ )?.*being terminated", re.IGNORECASE)


def again(how: Again, *more: str) -> Lines:
    """Deliver once more."""
    if how.app:
        namespace, _, name = how.app.rpartition("/")
        return (f"flux-secret sync {_q(name)} -n {_q(namespace)}",)
    return (" ".join(filter(None, ("flux-secret deliver", how.flags, *more))),)


def edit(place: Place | None) -> Lines:
    """Open a file at a line, then commit and push it."""
    if place is None or not place.file:
        return ()
    return (f"{_EDITOR} +{place.line or 1} {_q(place.file)}", *_pushed(place.file))


def executable(place: Place | None, command: str) -> Lines:
    """Make a script executable, where that is what a command failed for."""
    if place is None:
        return ()
    program = command.split(maxsplit=1)[0].removeprefix("./")
    file = f"{place.file.rpartition('/')[0]}/{program}".lstrip("/")
    return (
        f"git update-index --chmod=+x {_q(file)}",
        f"git commit -m {_q(f'Make {file} executable')}",
        "git push",
    )


def of_failed_file(place: Place | None, program: Place | None, error: FluxSecretError) -> Lines:
    """Mend a manifest, a command of `.flux.yaml`, or the program that it runs."""
    found = re.search(r'generator command "([^"\n]+)"', error.what)
    if found and f"exit status {_NOT_EXECUTABLE}" in error.what and found[1].startswith("./"):
        return executable(place, found[1])
    return edit(program or place)


def of_read(  # noqa: PLR0911 -- a table
    error: FluxSecretError, lookup: Lookup, facts: EntryFacts, place: Place | None, how: Again
) -> Lines:
    """Mend what made a question to a store fail, but for keys and ciphertext."""
    entry = _q(str(lookup.path))
    match error:
        case EntryNotFoundError() if facts.near and place and place.line:
            return renamed(place, str(lookup.path), facts.near[0])
        case EntryNotFoundError():
            return (f"flux-secret store insert {entry}", *_synced(facts))
        case KeyNotFoundError() if lookup.part is Part.KEY:
            return (f"flux-secret store insert {entry} {_q(lookup.key)}", *_synced(facts))
        case KeyNotFoundError():
            return (f"flux-secret store edit {entry}", *_synced(facts))
        case EmptyValueError() if lookup.part is Part.KEY:
            return (f"flux-secret store insert {entry} {_q(lookup.key)}", *_synced(facts))
        case EmptyValueError():
            return (f"flux-secret store insert --force {entry}", *_synced(facts))
        case ReadRefusedError() if facts.store:
            return _granted(facts, how)
        case ReadRefusedError() if facts.near and place and place.line:
            near = "/".join((facts.near[0], *lookup.path.parts[1:]))
            return renamed(place, str(lookup.path), near)
        case _:
            return ()


def renamed(place: Place, old: str, new: str) -> Lines:
    """Put another name into a line; the store's name may be a variable there."""
    shared = 0
    for one, other in zip(old.split("/"), new.split("/"), strict=False):
        if one != other:
            break
        shared += 1
    ours, theirs = ("/".join(one.split("/")[shared:]) for one in (old, new))
    file = _q(place.file)
    program = f"{place.line}s|{_pattern(ours)}|{_replacement(theirs)}|"
    return (
        f"sed -i.bak {_q(program)} {file} && rm {file}.bak",
        *_pushed(place.file, f"Ask for {new}"),
    )


def of_recipients(facts: EntryFacts, key: KeyFacts) -> Lines:
    """Encrypt an entry to a key that it is not for."""
    if not key.ids:
        return ()
    ours = {f"0x{one}" for one in key.ids} | set(key.ids)
    entry = _q(str(facts.path))
    if any(ours & {one, f"0x{one[-16:]}"} for one in facts.wanted):
        return (f"flux-secret reencrypt {entry}", *_synced(facts))
    folder = facts.recipients_file.rpartition("/")[0]
    where = f"--folder {_q(f'{facts.store}/{folder}')}" if folder else f"--store {_q(facts.store)}"
    return (f"flux-secret recipients add 0x{key.ids[0]} {where}", *_synced(facts))


def of_damage(facts: EntryFacts) -> Lines:
    """Bring an entry's last good version back."""
    if not facts.good:
        return (f"flux-secret store insert --force {_q(str(facts.path))}", *_synced(facts))
    folder = facts.clone or facts.store.replace("/", "-")
    git = f"git -C {_q(folder)}"
    lines = (
        f"{git} checkout {facts.good} -- {_q(facts.file)}",
        f"{git} commit -m {_q(f'Bring back {facts.path} of {facts.good[:12]}')}",
    )
    if facts.clone:
        return (*lines, *_synced(facts))
    return (f"git clone {_q(facts.url)} {_q(folder)}", *lines, f"{git} push")


def of_key(key: KeyFacts, facts: EntryFacts | None) -> Lines:
    """Get the private key that an entry is for."""
    wanted = facts.wanted or facts.recipients if facts else ()
    if len(wanted) == 1 and key.error is not None and key.where:
        return (f"gpg --armor --export-secret-keys {_q(wanted[0])} >{_q(key.where)}",)
    return ()


def of_object(error: FluxSecretError, key: ObjectKey, place: Place | None, how: Again) -> Lines:  # noqa: PLR0911 -- a table
    """Mend why one object is refused."""
    match error:
        case HeldError(token=token) if token and not how.app:
            return again(how, f"--confirm={token}")
        case HeldError(token=token) if token:
            return (f"flux-secret sync --confirm {token} --url http://127.0.0.1:3030",)
        case NotOursError() if "--adopt-existing" in error.remedy and not how.app:
            return again(how, "--adopt-existing")
        case NotOursError() if "--adopt-existing" in error.remedy:
            where = f" -n {_q(key.namespace)}" if key.namespace else ""
            return (f"kubectl delete {_q(str(key))}{where}", *again(how))
        case ForbiddenError():
            return _allowed(error, how)
    if found := _CREATE.search(error.remedy):
        return (found[1], *again(how))
    if _GOING.search(error.what):
        return (
            f"kubectl wait --for=delete {_q(f'namespace/{key.namespace}')} --timeout=5m",
            f"kubectl create namespace {_q(key.namespace)}",
            *again(how),
        )
    return edit(place) if isinstance(error, RejectedError) else ()


def of_host(error: FluxSecretError, how: Again) -> Lines:
    """Get a host's key, to be compared with what the host publishes."""
    found = _KEYSCAN.search(error.remedy)
    file = how.known_hosts or "~/.ssh/known_hosts"
    return (f"{found[1]} >>{_q(file) if how.known_hosts else file}",) if found else ()


def of_rewound(error: FluxSecretError, how: Again) -> Lines:
    """Accept that a store's history was taken back, if it is meant."""
    owners, flag = _ACCEPT.search(error.remedy), _ACCEPTED.search(error.remedy)
    if owners:
        return (owners[0],)
    if flag and not how.app:
        return again(how, f"{flag[1]}={flag[2]}")
    return ()


def restart(workload: ObjectKey) -> Lines:
    """Start a workload's pods anew."""
    kind = workload.kind.lower()
    return (f"kubectl -n {_q(workload.namespace)} rollout restart {_q(f'{kind}/{workload.name}')}",)


def resume(app: str, how: Again) -> Lines:
    """Let an App be delivered again; one that is no object of the cluster, by its agent."""
    if not how.app:
        return (f"flux-secret resume {_q(app)} --agent {_q(how.agent_namespace)}",)
    namespace, _, name = app.rpartition("/")
    return (f"flux-secret resume {_q(name)} -n {_q(namespace)}",)


def _allowed(error: ForbiddenError, how: Again) -> Lines:
    """Give the agent's service account the right that the error names.

    Who may not read an object may hardly write it: what delivering it takes is granted at once.
    """
    found = _ROLE.search(error.remedy)
    if found is None:
        return ()
    where = f"-n {found['namespace']} " if found["namespace"] else ""
    kind, name = found["kind"], found["name"]
    role = found[0].replace("--verb=get ", "--verb=get,create,patch ")
    binding = (
        f"kubectl {where}create {kind}binding {name} --{kind}={name} "
        f"--serviceaccount={_q(how.agent_namespace)}:flux-secret"
    )
    return (*(f"{line} --dry-run=client -o yaml | {_PUT}" for line in (role, binding)), *again(how))


def _granted(facts: EntryFacts, how: Again) -> Lines:
    """Let an App's namespace read an entry."""
    if not how.app:
        return ()
    path = "/".join(facts.path.parts[facts.store.count("/") + 1 :])
    reader = {"namespaces": [how.app.partition("/")[0]], "paths": [path]}
    patch = json.dumps([{"op": "add", "path": "/spec/readers/-", "value": reader}])
    line = f"kubectl -n {_q(how.agent_namespace)} patch stores.flux-secret.io {_q(facts.store)}"
    return (f"{line} --type=json -p {_q(patch)}", *again(how))


def _pushed(file: str, message: str = "") -> Lines:
    return (f"git commit -m {_q(message or f'Mend {file}')} {_q(file)}", "git push")


def _synced(facts: EntryFacts) -> Lines:
    return (f"flux-secret store sync {_q(facts.store)}",)


def _pattern(text: str) -> str:
    return re.sub(r"([\\.*\[\]^$|])", r"\\\1", text)


def _replacement(text: str) -> str:
    return re.sub(r"([\\&|])", r"\\\1", text)


def _q(text: str) -> str:
    return shlex.quote(text)
