"""Bundle → YAML for `kubectl apply --server-side -f -`; private keys only where they are asked for.

What has no Secret in it is text; what has one is a `Plaintext`, so it reaches no terminal or log by
accident.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Final

import yaml

from flux_secret.model.manifest import Bundle, BundleItem
from flux_secret.model.plaintext import Plaintext

_LEFT_OUT: Final = """\
# The Secrets {names} are left out: they hold private keys.
# `flux-secret install --apply` sends them straight from the store; for a pipe: --with-secrets
"""
_NAMES: Final = "flux-gpg-keys (flux.asc) and flux-ssh-config (identity)"


class _Dumper(yaml.SafeDumper):
    """Writes as people do: no references, texts of several lines as they are."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def printed(bundle: Bundle) -> str:
    """Give the objects without Secrets, and say that they are not there."""
    shown = [_document(dict(one.manifest.body)) for one in bundle.items if not one.secret_data]
    return _LEFT_OUT.format(names=_NAMES) + "---\n".join(shown)


def documents(trees: Iterable[dict[str, Any]]) -> str:
    """Give objects that hold no value."""
    return "---\n".join(map(_document, trees))


def printed_with_secrets(bundle: Bundle) -> Plaintext:
    """Give all of them."""
    return Plaintext("---\n".join(map(_whole, bundle.items)).encode())


def _whole(item: BundleItem) -> str:
    body: dict[str, Any] = dict(item.manifest.body)
    if item.secret_data:
        body["data"] = {
            name: base64.b64encode(value.reveal()).decode()
            for name, value in item.secret_data.items()
        }
    return _document(body)


def _document(body: dict[str, Any]) -> str:
    text: str = yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=1000)
    return text
