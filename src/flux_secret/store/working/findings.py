"""Facts of a store → what is wrong with it, where, and what to do; pure.

Places are paths below the store's root. What can be repaired is said by `FIXABLE`.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from shlex import quote
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.finding import Finding, Level
from flux_secret.model.openpgp import day
from flux_secret.store.format import names
from flux_secret.store.format.recipients import MAX_RECIPIENTS
from flux_secret.store.interface import Form, Newer
from flux_secret.store.working.audience import describe
from flux_secret.store.working.facts import EntryFact, Facts, RecipientsFact
from flux_secret.store.working.past import Past

AHEAD_SECONDS: Final = 30 * 24 * 3600
"""How long before its end a key is reported."""
FIXABLE: Final = frozenset({
    "readers", "older-subkey", "armored", "too-new", "carriage-returns", "export-missing",
    "export-older", "export-wrong", "open-files", "interrupted", "past-readers",
})  # fmt: skip
ABOUT_RECIPIENTS: Final = frozenset({
    "readers", "older-subkey", "past-readers", "unverifiable", "recipients-file", "key-unusable",
    "key-expires", "key-weak", "key-twice", "carriage-returns", "many-recipients", "lookup",
    "export-missing", "export-older", "export-newer", "export-wrong", "export-of-nobody",
    "link-readers", "pinned",
})  # fmt: skip
_REENCRYPT: Final = "flux-secret reencrypt"
_TEXTS: Final = frozenset({
    ".gitattributes", ".gitignore", ".pass-template", ".gpg-id", ".gpg-id.sig", ".age-recipients",
    ".age-ids",
})  # fmt: skip
_ROOT_TEXTS: Final = frozenset({"config", "config.worktree", ".gopass-audit-ignore", ".gopass.yml"})
_FOLDERS: Final = (".public-keys/", ".gpg-keys/", ".gopass/", ".extensions/", ".flux-secret/")
_ABOUT: Final = re.compile(r"(README|LICENSE|CODEOWNERS)(\.[a-z]+)?\Z")
_ENDINGS: Final = (".gpg", ".age")
_LEFT: Final = re.compile(r"\..+\.[a-z0-9_]{8}\Z")  # by a write that was killed


def findings(facts: Facts) -> list[Finding]:
    """Give everything, errors first, then by place."""
    found = [_placed(finding, facts) for look in _LOOKS for finding in look(facts)]
    order = {Level.ERROR: 0, Level.WARNING: 1, Level.OK: 2}
    return sorted(found, key=lambda one: (order[one.level], one.kind, one.about))


def _placed(finding: Finding, facts: Facts) -> Finding:
    """Name the place as people write it, the mount first."""
    about = posixpath.join(facts.mount, finding.about) if finding.about else facts.mount
    return replace(finding, about=about or "the root store")


def _error(kind: str, about: str, says: str, remedy: str = "") -> Finding:
    return Finding(Level.ERROR, about, says, remedy, kind=kind)


def _warning(kind: str, about: str, says: str, remedy: str = "") -> Finding:
    return Finding(Level.WARNING, about, says, remedy, kind=kind)


def _repository(facts: Facts) -> Iterator[Finding]:
    git = facts.git
    if git is None:
        says = "is no git repository: nothing can be taken back, shared or proved"
        yield _warning("no-history", "", says, "git init there")
        return
    sync = "flux-secret store sync"
    if git.unfinished:
        yield _error("unfinished", "", f"is in the middle of {git.unfinished}", sync)
    if git.interrupted:
        says = "has a change that was interrupted"
        yield _warning("interrupted", "", says, _REENCRYPT)
    if git.is_linked:
        says = "is a file: gopass takes the store for a plain folder and commits nothing"
        yield _warning("linked-git", ".git", says, "clone the store into a folder of its own")
    for path in git.uncommitted:
        yield _warning("uncommitted", path, "is not as git has it", sync)


def _configuration(facts: Facts) -> Iterator[Finding]:
    off, on = {"false", "no", "off", "0"}, {"true", "yes", "on", "1"}
    told = (
        ("core.autopush", off, "keeps everybody's gopass from pushing"),
        ("core.readonly", on, "keeps everybody's gopass from writing"),
        ("core.exportkeys", off, "keeps everybody's gopass from exporting keys"),
    )
    for name, values, says in told:
        if facts.config.get(name, "").lower() in values:
            remedy = f"git config --file {facts.root}/config --unset {name}, and commit it"
            yield _warning("config", "config", f"{name} {says}", remedy)
    if facts.pins_recipients and len(facts.recipients) > 1:
        says = "gopass compares recipients of folders with the accepted ones of the whole store"
        yield _warning("pinned", "", says, "gopass config recipients.check false")


def _recipients(facts: Facts) -> Iterator[Finding]:
    for one in facts.recipients:
        if one.problem:
            yield _error("recipients-file", one.file, one.problem, "bring it back from git history")
            continue
        if b"\r" in one.text:
            says = "has carriage returns: pass takes them for a part of the id"
            yield _warning("carriage-returns", one.file, says, "flux-secret store check --fix")
        if len(one.ids) > MAX_RECIPIENTS:
            says = f"has {len(one.ids)} recipients, more than {MAX_RECIPIENTS}"
            yield _error("many-recipients", one.file, says, "look at its history")
        yield from _keys(facts, one)


def _keys(facts: Facts, file: RecipientsFact) -> Iterator[Finding]:
    renew = "get the renewed key (gpg --import FILE), or: flux-secret recipients remove ID"
    for one in file.readers:
        where = f"{file.file}: {one.id}" if one.name in {"", one.id} else f"{file.file}: {one.name}"
        if one.problem:
            says = f"{one.problem}, so nothing can be written there"
            yield _error("key-unusable", where, says, renew)
        elif one.expires is not None and one.expires - facts.now < AHEAD_SECONDS:
            yield _warning("key-expires", where, f"expires on {day(one.expires)}", renew)
        if one.id in facts.weak:
            says = facts.weak[one.id]
            yield _warning("key-weak", where, says, "have its owner renew it with a newer gpg")
    known = Counter(one.fingerprint for one in file.readers if one.fingerprint)
    for key in (one for one, times in known.items() if times > 1):
        ids = " and ".join(one.id for one in file.readers if one.fingerprint == key)
        yield _warning("key-twice", file.file, f"names one key twice: {ids}", "remove one line")


def _entries(facts: Facts) -> Iterator[Finding]:
    files = {one.file for one in facts.recipients if not one.problem}
    for one in facts.entries:
        if one.problem:
            yield _error("unreadable", one.file, one.problem, "look at it with `ls -l`")
        elif one.recipients not in files:
            continue  # the recipients file's own finding says it
        elif one.target != one.file:
            yield from _link(facts, one)
        elif one.form is Form.OTHER:
            says = "is not encrypted, or to no key: its text may lie there for everybody"
            yield _error("plaintext", one.file, says, "insert it anew, and change the value")
        else:
            yield from _form(one)
            yield from _readers(one, f"{_REENCRYPT} {quote(posixpath.join(facts.mount, one.name))}")


def _form(one: EntryFact) -> Iterator[Finding]:
    if one.form is Form.ARMORED:
        says = "is armored: git merges it as text, and gopass reads no armored age"
        yield _warning("armored", one.file, says, _REENCRYPT)
    if one.form is Form.TOO_NEW:
        says = "cannot be read by gpg before 2.3; gopass shows it as empty there"
        yield _warning("too-new", one.file, says, _REENCRYPT)


def _readers(one: EntryFact, anew: str) -> Iterator[Finding]:
    verdict = one.verdict
    says = describe(verdict)
    if verdict.missing or verdict.extra or verdict.surplus:
        yield _error("readers", one.name, says, anew)
    elif verdict.outdated:
        yield _warning("older-subkey", one.name, says, anew)
    elif not verdict.is_certain and one.past is Past.OTHERS:
        says = "does not say whom it is for, and others were named when it was written"
        yield _error("past-readers", one.name, says, f"{anew} --all")
    elif not verdict.is_certain and one.past is Past.UNKNOWN:
        says = "does not say whom it is for: only their number was compared"
        yield _warning("unverifiable", one.name, says, f"{anew} --all")
    elif not verdict.is_certain:
        says = "does not say whom it is for; number and history are right"
        yield Finding(Level.OK, one.name, says, kind="unverifiable")


def _link(facts: Facts, one: EntryFact) -> Iterator[Finding]:
    folder = one.file.rpartition("/")[0]
    own = _nearest(facts, folder)
    if own is not None and own.file != one.recipients:
        says = f"leads to {one.target}, where {one.recipients} says who may read, not {own.file}"
        yield _warning("link-readers", one.name, says, "make an entry of its own, by store cp")


def _nearest(facts: Facts, folder: str) -> RecipientsFact | None:
    own = {one.folder: one for one in facts.recipients}
    while folder and folder not in own:
        folder = folder.rpartition("/")[0]
    return own.get(folder)


def _lookups(facts: Facts) -> Iterator[Finding]:
    """Where gopass takes an entry's name for a folder (facts: gopass §1.3)."""
    folders = {one.folder: one.file for one in facts.recipients}
    for one in facts.entries:
        if one.name in folders:
            says = f"gopass encrypts it for {folders[one.name]}, pass and we for {one.recipients}"
            yield _error("lookup", one.name, says, "give the entry or the folder another name")


def _names(facts: Facts) -> Iterator[Finding]:
    all_names = [one.name for one in facts.entries]
    for group in names.twins(all_names):
        says = f"cannot be told from {', '.join(map(ascii, group[1:]))} by people or file systems"
        yield _warning("twins", group[0], says, "rename one: flux-secret store mv")
    for name in all_names:
        try:
            names.checked(name)
        except UsageError as failure:
            yield _warning(
                "name", name, failure.what, "rename it with git mv: nothing here takes it"
            )


def _exports(facts: Facts) -> Iterator[Finding]:
    update, file = "flux-secret recipients update", "flux-secret recipients update --import"
    for one in facts.exports:
        if one.stored is None and one.update is not None:
            says = "is missing: others cannot encrypt to this recipient"
            yield _warning("export-missing", one.path, says, update)
        elif one.update is not None and _is_of_another(facts, one.path, one.reader.fingerprint):
            yield _error("export-wrong", one.path, "is the key of somebody else", update)
        elif one.update is not None:
            yield _warning("export-older", one.path, "is older than in your keyring", update)
        elif one.export.newer is Newer.STORES:
            yield _warning("export-newer", one.path, "is newer than in your keyring", file)
    wanted = {one.path for one in facts.exports}
    for path, ids in facts.exported.items():
        if path not in wanted:
            says = f"is the key of nobody who is a recipient: {', '.join(ids[:1]) or 'no key'}"
            remedy = f"add them: flux-secret recipients add, or git rm {quote(path)}"
            yield _warning("export-of-nobody", path, says, remedy)


def _is_of_another(facts: Facts, path: str, fingerprint: str) -> bool:
    return not any(fingerprint.endswith(one) for one in facts.exported.get(path, ()))


def _files(facts: Facts) -> Iterator[Finding]:
    for path in facts.files:
        yield from _file(path, facts.layout.extension)


def _file(path: str, extension: str) -> Iterator[Finding]:
    name = path.rpartition("/")[2]
    is_known = (
        name in _TEXTS
        or path.startswith(_FOLDERS)
        or (path == name and (name in _ROOT_TEXTS or _ABOUT.match(name)))
    )
    if is_known:
        return
    if name.endswith(extension):
        says = "lies below a folder with a dot: gopass does not see it, pass does"
        yield _warning("hidden", path, says, "move it: git mv")
    elif name.endswith(_ENDINGS):
        says = "is of another kind than the store: nobody encrypts it anew"
        yield _warning("other-kind", path, says, "insert it anew, then git rm it")
    elif _LEFT.match(name):
        yield _warning("left-over", path, "was left by a write that was killed", f"rm {path}")
    else:
        says = "is not encrypted, and lies in a store"
        yield _error("plaintext", path, says, "insert it: flux-secret store insert; then git rm it")


def _modes(facts: Facts) -> Iterator[Finding]:
    if facts.open_files:
        says = f"can be reached by others on this machine: {len(facts.open_files)} files or folders"
        yield _warning("open-files", "", says, "flux-secret store check --fix")


def _undecrypted(facts: Facts) -> Iterator[Finding]:
    for name, reason in facts.undecrypted.items():
        remedy = "if you should be able to: have somebody else run flux-secret reencrypt"
        yield _error("undecrypted", name, f"cannot be decrypted: {reason}", remedy)


_LOOKS: Final[Iterable[Callable[[Facts], Iterator[Finding]]]] = (
    _repository, _configuration, _recipients, _entries, _lookups, _names, _exports, _files, _modes,
    _undecrypted,
)  # fmt: skip
