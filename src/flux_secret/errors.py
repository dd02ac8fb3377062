"""Every failure a person can cause: what happened, what to do, and the exit code.

FluxSecretError
├── UsageError            2   the command line is wrong
├── ConfigurationError    3   settings, .flux.yaml, manifests, generators
│   ├── FluxYamlError         a `.flux.yaml` that cannot be used
│   ├── ManifestError         generated or plain YAML that is not a usable manifest
│   ├── GenerateError         a generator failed, printed nothing usable, or met a limit
│   ├── SourceError           a git path, branch or commit that is not there
│   └── SecretRefError        a `ref+gopass://` that is none, or stands in a wrong place
├── AccessError           4   keys, recipients, policy, values that must not be delivered
│   ├── EntryNotFoundError    the store has no such entry
│   ├── KeyNotFoundError      the entry has no such key, or no password
│   ├── DecryptError          no key of ours, or damaged ciphertext
│   ├── EntryFormatError      a change that an entry's text cannot take, or a value it cannot hold
│   ├── EmptyValueError       a value that is, or would become, empty or null
│   ├── KeyFileError          a private key that cannot be loaded
│   ├── RecipientError        somebody whom an entry cannot be encrypted to
│   ├── ReadRefusedError      policy: this target may not read that
│   ├── WriteRefusedError     policy: this target may not write that
│   ├── LeakError             a secret's value found outside a `Secret`
│   └── HeldError             kept back until a person confirms
├── UnreachableError      5   retry helps: git host, API server
├── RecordError           5   what is to happen cannot be recorded, so it does not happen
├── IntegrityError        6   signatures, rollbacks, a broken chain
│   └── StoreRewoundError     a store's newest commit takes back what was delivered
├── ObjectError           7   one object could not be applied; the others were
│   ├── ForbiddenError        the API server says 403
│   ├── RejectedError         the API server says the object is invalid
│   ├── NotOursError          the object exists and is in no inventory of ours, or in another's
│   └── UnknownKindError      no served kind of that name
└── BugError             70   not your fault
"""

from __future__ import annotations

from typing import Any, ClassVar


class FluxSecretError(Exception):
    """A failure with a name, a reason, a remedy and an exit code (design §6).

    `what` is one sentence without a final full stop that names the thing and the reason; `remedy`
    is what to do next, as a command where there is one. Neither ever holds a secret's value.
    """

    exit_code: ClassVar[int] = 70
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what is said, and no cause, context or traceback: those may quote a value."""
        return made, (type(self), *self.args), self.__dict__


def made(kind: type[FluxSecretError], *args: str) -> FluxSecretError:
    """Make an error anew, in the process that it was sent to."""
    return kind.__new__(kind, *args)


def place_of(failure: BaseException) -> str:
    """Name the innermost place of ours, never the exception's text: it may quote a value."""
    places = []
    trace = failure.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "?")
        places.append((module, trace.tb_lineno))
        trace = trace.tb_next
    ours = [place for place in places if place[0].startswith("flux_secret.")] or places
    module, line = ours[-1] if ours else ("?", 0)
    return f"{module}:{line}"


class UsageError(FluxSecretError):
    """The command line is wrong."""

    exit_code = 2


class ConfigurationError(FluxSecretError):
    """Settings or a repository say something that cannot be done."""

    exit_code = 3


class FluxYamlError(ConfigurationError):
    """A `.flux.yaml` that cannot be used."""


class ManifestError(ConfigurationError):
    """Text that is not a usable manifest; names file, line and document, never an excerpt."""


class GenerateError(ConfigurationError):
    """A generator failed, printed nothing usable, or met a limit."""


class SourceError(ConfigurationError):
    """A branch, commit or path that the application repository does not have."""


class SecretRefError(ConfigurationError):
    """A `ref+gopass://…` that cannot be read as one, or stands where none may stand."""


class AccessError(FluxSecretError):
    """A secret that may not, cannot or must not be read or delivered."""

    exit_code = 4


class EntryNotFoundError(AccessError):
    """The store has no entry of that name at the pinned commit."""


class KeyNotFoundError(AccessError):
    """The entry is there but has no such key, or no password."""


class DecryptError(AccessError):
    """The entry is not encrypted to a key of ours, or its ciphertext is damaged."""


class EntryFormatError(AccessError):
    """A change that an entry's text cannot take without harm, or a value that it cannot hold."""


class EmptyValueError(AccessError):
    """A value is empty or null where that would empty a Secret."""


class KeyFileError(AccessError):
    """A private key that cannot be read, parsed or unlocked."""


class RecipientError(AccessError):
    """Somebody who is to read an entry cannot be encrypted to; nothing is written instead."""


class ReadRefusedError(AccessError):
    """Policy: this target may not read that entry."""


class WriteRefusedError(AccessError):
    """Policy: this target may not write that object."""


class LeakError(AccessError):
    """A value that was read from a store stands outside a `Secret`."""


class HeldError(AccessError):
    """A change that is kept back until a person confirms it.

    `token` names one revision and one list of objects (design decision 13); `--confirm TOKEN` lets
    exactly that through.
    """

    def __init__(self, what: str, *, remedy: str = "", token: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.token = token


class UnreachableError(FluxSecretError):
    """A git host or an API server does not answer; the next try may succeed."""

    exit_code = 5
    retryable = True


class RecordError(FluxSecretError):
    """What is to happen cannot be recorded, so it does not happen; a disk may have room again."""

    exit_code = 5
    retryable = True


class IntegrityError(FluxSecretError):
    """Something is not what was signed, pinned or recorded."""

    exit_code = 6


class StoreRewoundError(IntegrityError):
    """A store's newest commit does not contain what was delivered of it."""


class ObjectError(FluxSecretError):
    """One object could not be applied; the others were."""

    exit_code = 7


class ForbiddenError(ObjectError):
    """The API server refuses this agent that verb on that object."""


class RejectedError(ObjectError):
    """The API server says that the object is not valid.

    `said` are its own words, in so far as they may be repeated; `what` ends in them.
    """

    def __init__(self, what: str, *, remedy: str = "", said: str = "") -> None:
        super().__init__(f"{what}: {said}" if said else what, remedy=remedy)
        self.said = said
        self.brief = what


class NotOursError(ObjectError):
    """The object exists already and is in no inventory of ours, or in another target's."""


class UnknownKindError(ObjectError):
    """The API server serves no such kind."""


class BugError(FluxSecretError):
    """A state that the code excludes; the user did nothing wrong."""

    exit_code = 70
