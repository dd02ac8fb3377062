"""RFC 6902: a list of operations at JSON pointers (RFC 6901)."""

from __future__ import annotations

from flux_secret.embedded.tree import Json, copied, equal


class PatchError(ValueError):
    """A patch that does not fit the object."""


def json_patch(live: Json, operations: Json) -> Json:
    """Give the patched value; raise `PatchError`."""
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is a list of operations")
    tree = copied(live)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchError("an operation is an object with `op` and `path`")
        tree = _one(tree, operation)
    return tree


def _one(tree: Json, operation: dict[str, Json]) -> Json:
    path = operation["path"]
    match operation.get("op"):
        case "add":
            return _set(tree, _parts(path), operation.get("value"), insert=True)
        case "replace":
            # evanphx/json-patch v4 replaces what is not there in an object that is
            return _set(tree, _parts(path), operation.get("value"), insert=False)
        case "remove":
            return _remove(tree, path)
        case "test":
            if not equal(_found(tree, path), operation.get("value")):
                raise PatchError(f"testing value {path} failed")
            return tree
        case "move":
            value = _find(tree, str(operation.get("from")))
            return _set(_remove(tree, str(operation.get("from"))), _parts(path), value, insert=True)
        case "copy":
            value = copied(_find(tree, str(operation.get("from"))))
            return _set(tree, _parts(path), value, insert=True)
        case other:
            raise PatchError(f"Unexpected kind: {other}")


def _parts(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise PatchError(f"{path!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _found(tree: Json, path: str) -> Json:
    try:
        return _find(tree, path)
    except PatchError:
        return None  # evanphx/json-patch: a test of nothing compares with null


def _find(tree: Json, path: str) -> Json:
    for part in _parts(path):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list):
            tree = tree[_index(tree, part, path)]
        else:
            raise PatchError(f"Unable to find {path}: missing path")
    return tree


def _index(tree: list[Json], part: str, path: str) -> int:
    if not part.isdecimal() or int(part) >= len(tree):
        raise PatchError(f"Unable to access invalid index: {path}")
    return int(part)


def _set(tree: Json, parts: list[str], value: Json, *, insert: bool) -> Json:
    if not parts:
        return copied(value)
    *parents, last = parts
    holder = _find(
        tree, "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parents)
    )
    if isinstance(holder, dict):
        holder[last] = copied(value)
    elif isinstance(holder, list) and last == "-":
        holder.append(copied(value))
    elif isinstance(holder, list) and last.isdecimal() and int(last) <= len(holder) and insert:
        holder.insert(int(last), copied(value))
    elif isinstance(holder, list):
        holder[_index(holder, last, last)] = copied(value)
    else:
        raise PatchError(f"add operation does not apply: doc is missing path: {'/'.join(parts)}")
    return tree


def _remove(tree: Json, path: str) -> Json:
    _find(tree, path)
    *parents, last = _parts(path) or [""]
    holder = _find(
        tree, "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parents)
    )
    if isinstance(holder, dict):
        del holder[last]
    elif isinstance(holder, list):
        del holder[_index(holder, last, path)]
    return tree
