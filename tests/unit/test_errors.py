"""Every error of ours crosses from one process to another as it is, and nothing else with it."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import flux_secret
from flux_secret.errors import DecryptError, FluxSecretError, RejectedError
from flux_secret.outside.kubernetes import NotFoundError


def kinds(parent: type[FluxSecretError] = FluxSecretError) -> Iterator[type[FluxSecretError]]:
    yield parent
    for child in parent.__subclasses__():
        yield from kinds(child)


def every_kind() -> list[type[FluxSecretError]]:
    """Import the rooms, so that the errors of doors are among them."""
    for module in pkgutil.walk_packages(flux_secret.__path__, "flux_secret."):
        if ".outside." in module.name or module.name == "flux_secret.errors":
            importlib.import_module(module.name)
    return list(dict.fromkeys(kinds()))


def across(error: FluxSecretError) -> FluxSecretError:
    crossed = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert isinstance(crossed, FluxSecretError)
    return crossed


@pytest.mark.parametrize("kind", every_kind())
def test_an_error_says_the_same_after_crossing(kind: type[FluxSecretError]) -> None:
    error = kind("what", remedy="remedy")
    crossed = across(error)
    assert type(crossed) is kind
    assert vars(crossed) == vars(error)
    assert (str(crossed), crossed.args) == (str(error), error.args)
    assert (crossed.exit_code, crossed.retryable) == (kind.exit_code, kind.retryable)


def test_what_only_some_errors_say_crosses_too() -> None:
    rejected = RejectedError("patch secrets/x: refused", remedy="mend it", said="data: Required")
    missing = NotFoundError("no such namespace", missing_namespace="demo")
    for error in (rejected, missing):
        crossed = across(error)
        assert vars(crossed) == vars(error)
        assert str(crossed) == str(error)


def test_neither_cause_nor_context_nor_traceback_crosses() -> None:
    def fail() -> None:
        try:
            raise ValueError("correct horse")  # noqa: TRY301 -- a library's, which quotes a value
        except ValueError as quoting:
            raise DecryptError("it is damaged") from quoting

    with pytest.raises(DecryptError) as raised:
        fail()
    data = pickle.dumps(raised.value)
    crossed = across(raised.value)
    assert b"correct horse" not in data
    assert (crossed.__cause__, crossed.__context__, crossed.__traceback__) == (None, None, None)
