"""An entry's text → the same text with one thing changed, and every other byte kept.

1. Find out how gopass reads the text; what cannot be edited is refused (facts: gopass §10.2).
2. Change the one place: a line of an AKV entry (`lines`), a scalar of a YAML entry (`yamledit`).
3. Read the result as gopass will: the one thing must have its new value, everything else its old.

Whatever does not pass the third step is refused, so a change is either exact or not made.
A key that an AKV entry has several times is changed where it stands first, as gopass does.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from flux_secret.errors import EntryFormatError, KeyNotFoundError
from flux_secret.store.format import lines, yamledit
from flux_secret.store.format.document import Format, SecretDocument, trimmed
from flux_secret.store.format.yamledit import BY_HAND

_BREAKS: Final = (b"\n", b"\r")


def set_password(text: bytes, password: bytes) -> bytes:
    """Replace the first line."""
    document = _editable(text)
    _check_line("a password is", password)
    if document.format is not Format.YAML:
        after = lines.with_first_line(text, password)
    elif password != trimmed(password):
        raise EntryFormatError(
            "the password of a YAML entry can neither begin nor end with a blank: gopass trims it",
            remedy="choose another password, or an entry without YAML",
        )
    else:
        after = yamledit.with_password(text, password)
    return _verified(document, after, password=password)


def set_key(text: bytes, key: str, value: bytes) -> bytes:
    """Give a key a value: in its place, or in a new line at the end."""
    document = _editable(text)
    name = _checked_key(document, key)
    if document.format is Format.YAML:
        if document.keys.get(key) == value:
            return text  # a number stays a number
        after = yamledit.with_value(text, key, _checked_text(value))
        return _verified(document, after, keys={**document.keys, key: value})
    _check_line("a value is", value)
    after = lines.with_value(text, name, value)
    _, others, rest = document.keys.get(key, b"").partition(b"\n")
    return _verified(document, after, keys={**document.keys, key: value + others + rest})


def remove_key(text: bytes, key: str) -> bytes:
    """Take a key away, with all of its values."""
    document = _editable(text)
    if key not in document.keys:
        names = ", ".join(sorted(document.keys)) or "none"
        raise KeyNotFoundError(
            f"the entry has no key {key!r}; its keys: {names}", remedy="mend the name"
        )
    if document.format is Format.YAML:
        after = yamledit.without_key(text, key)
    else:
        after = lines.without_key(text, key.encode(errors="surrogateescape"))
    keys = {name: value for name, value in document.keys.items() if name != key}
    return _verified(document, after, keys=keys)


def append(text: bytes, more: bytes) -> bytes:
    """Append lines: to the end, or to what stands before the YAML, as `gopass insert -a`."""
    document = _editable(text)
    if not text or not more:
        return text + more
    if document.format is Format.YAML:
        after = yamledit.with_lines(text, more)
        return _verified(document, after, body=document.body + lines.ended(more))
    after = lines.with_lines(text, more)
    added = SecretDocument.parse(b"\n" + more)  # read behind a first line, as it will be
    keys = dict(document.keys)
    for key, value in added.keys.items():
        keys[key] = keys[key] + b"\n" + value if key in keys else value
    return _verified(document, after, keys=keys, body=document.body + added.body)


def to_binary(data: bytes, filename: str = "STDIN") -> bytes:
    """Give the text of an entry that holds a file, as `gopass fscopy` writes it, or `cat`."""
    name = PurePath(filename).name
    if any(letter in name for letter in "\n\r\0"):
        raise EntryFormatError(
            "a file name with a line break in it cannot stand in an entry", remedy="rename the file"
        )
    header = (
        f'Content-Disposition: attachment; filename="{name}"\nContent-Transfer-Encoding: Base64'
    )
    return f"\n{header}\n".encode(errors="surrogateescape") + base64.b64encode(data) + b"\n"


def convert_mime(text: bytes) -> bytes:
    """Turn an entry of gopass 1.10 into lines, as gopass itself does when it writes."""
    document = SecretDocument.parse(text)
    if document.format is not Format.MIME:
        raise EntryFormatError("this is no MIME entry of gopass 1.10", remedy="leave it as it is")
    return lines.ended(document.text)


def _editable(text: bytes) -> SecretDocument:
    document = SecretDocument.parse(text)
    is_mime = trimmed(text.partition(b"\n")[0]) == b"GOPASS-SECRET-1.0"
    if document.format is Format.MIME or is_mime:
        raise EntryFormatError(
            "the entry is in the MIME format of gopass 1.10, which is only read",
            remedy="convert it first: `edit` shows it as lines, and saving them is enough",
        )
    if document.format is Format.FILE:
        raise EntryFormatError(
            "the entry holds a file in base64, which has no lines to change",
            remedy="write the whole file again",
        )
    return document


def _checked_key(document: SecretDocument, key: str) -> bytes:
    name = key.encode(errors="surrogateescape")
    reason = ""
    if not name:
        reason = "it is empty"
    elif any(letter in name for letter in (*_BREAKS, b"\0")):
        reason = "it has a line break or a zero byte in it"
    elif trimmed(name) != name:
        reason = "it begins or ends with a blank"
    elif name.startswith(b"---"):
        reason = "a line that begins with --- begins YAML"
    elif document.format is Format.AKV and lines.SEPARATOR in name:
        reason = "a colon with a blank behind it ends a key"
    if reason:
        raise EntryFormatError(f"{key!r} cannot be a key: {reason}", remedy="choose another name")
    return name


def _check_line(what: str, value: bytes) -> None:
    if any(letter in value for letter in _BREAKS):
        raise EntryFormatError(
            f"{what} one line, and this one has a line break in it",
            remedy="give it an entry of its own, or write the text with `edit`",
        )


def _checked_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EntryFormatError(
            "the entry is YAML, and this value is no UTF-8 text",
            remedy="give it an entry of its own",
        ) from None


def _verified(
    before: SecretDocument,
    text: bytes,
    *,
    password: bytes | None = None,
    keys: Mapping[str, bytes] | None = None,
    body: bytes | None = None,
) -> bytes:
    """Give the text if it is read as it should be; otherwise refuse the change."""
    after = SecretDocument.parse(text)
    wanted = (
        before.format,
        before.password if password is None else password,
        before.keys if keys is None else keys,
        before.body if body is None else body,
    )
    is_exact = (after.format, after.password, after.keys, after.body) == wanted
    if not is_exact or not _types_stay(before, after):
        raise EntryFormatError(
            "the change would be read otherwise, or change how the rest of the entry is read",
            remedy=BY_HAND,
        )
    return text


def _types_stay(before: SecretDocument, after: SecretDocument) -> bool:
    if before.yaml is None or after.yaml is None:
        return before.yaml is after.yaml
    old, new = before.yaml.typed(), after.yaml.typed()
    changed = [key for key in old.keys() & new.keys() if old[key] != new[key]]
    return len(changed) <= 1 and all(before.keys[key] != after.keys[key] for key in changed)
