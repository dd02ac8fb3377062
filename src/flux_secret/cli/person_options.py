"""The flags that say where a person keeps the agent's keys: `install` and `identity` share them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def from_options(what: str) -> tuple[Callable[[Any], Any], ...]:
    """Give the options that name a folder of a store."""
    return (
        click.option("--from", "from", metavar="STORE/FOLDER",
                     help=f"{what}: STORE/technical/k8s/CLUSTER/flux."),
        click.option("--cluster-name", metavar="CLUSTER",
                     help="Then --from needs to name the store only."),
        click.option("--store-dir", type=click.Path(path_type=Path), metavar="DIRECTORY",
                     help="That store's clone. Default: $PASSWORD_STORE_DIR, ~/.password-store."),
    )  # fmt: skip


def given_fields(fields: Iterable[dataclasses.Field[Any]], given: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- what click parsed
    """Give what click parsed for these fields; one that Python keeps for itself ends in `_`."""
    named = {field.name: field.name.rstrip("_") for field in fields}
    return {name: given[key] for name, key in named.items() if key in given}
