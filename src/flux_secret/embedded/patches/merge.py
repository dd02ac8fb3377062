"""RFC 7386: null removes, objects are merged, anything else replaces."""

from __future__ import annotations

from flux_secret.embedded.tree import Json, copied


def merge_patch(live: Json, patch: Json) -> Json:
    """Give the patched value."""
    if not isinstance(patch, dict):
        return copied(patch)
    merged = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
