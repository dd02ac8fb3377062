"""A store for tests of what asks: answers from a dictionary, remembers the first refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flux_secret.errors import DecryptError, EntryNotFoundError, FluxSecretError, KeyNotFoundError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup, Part


class SimulatedReader:
    """Entries by name; a name in `damaged` cannot be decrypted."""

    def __init__(self, entries: Mapping[str, bytes], *, damaged: Sequence[str] = ()) -> None:
        self._entries = dict(entries)
        self._damaged = frozenset(damaged)
        self.asked: list[Lookup] = []
        self.reasons: list[str] = []
        self.foreseen: list[tuple[Lookup, str]] = []
        self._handed_out: list[tuple[Lookup, Plaintext]] = []
        self._refusal: FluxSecretError | None = None

    @property
    def refusal(self) -> FluxSecretError | None:
        return self._refusal

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        return tuple(self._handed_out)

    async def foresee(self, asked: Iterable[tuple[Lookup, str]]) -> None:
        self.foreseen += asked

    async def read(self, lookup: Lookup, reason: str = "") -> Plaintext:
        self.asked.append(lookup)
        self.reasons.append(reason)
        try:
            value = Plaintext(self._value(lookup))
        except FluxSecretError as failure:
            self._refusal = self._refusal or failure
            raise
        self._handed_out.append((lookup, value))
        return value

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        folder = tuple(part for part in prefix.split("/") if part)
        paths = [SecretPath.parse(name) for name in self._entries]
        wanted = [path for path in paths if path.parts[: len(folder)] == folder]
        return sorted(wanted, key=lambda path: str(path).encode())

    def _value(self, lookup: Lookup) -> bytes:
        name = str(lookup.path)
        if name in self._damaged:
            raise DecryptError(f"{name} is damaged", remedy="bring back its last good version")
        if name not in self._entries:
            raise EntryNotFoundError(f"no entry {name}", remedy=f"gopass insert {name}")
        text = self._entries[name]
        lines = text.decode(errors="surrogateescape").splitlines()
        match lookup.part:
            case Part.PASSWORD:
                return lines[0].encode(errors="surrogateescape")
            case Part.KEY:
                wanted = f"{lookup.key}: "
                values = [line.removeprefix(wanted) for line in lines if line.startswith(wanted)]
                if not values:
                    raise KeyNotFoundError(f"{name} has no key {lookup.key}", remedy="gopass edit")
                return "\n".join(values).encode(errors="surrogateescape")
            case _:
                return text
