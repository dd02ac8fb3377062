"""A value cannot be printed, logged, encoded, copied or compared by accident."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import re
import traceback
from dataclasses import asdict, dataclass

import pytest
import structlog
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.model.plaintext import MASK, Plaintext

VALUE = b"correct horse battery staple"
WORD = "horse"


@dataclass(frozen=True)
class _Holder:
    value: Plaintext


@pytest.fixture
def secret() -> Plaintext:
    return Plaintext(VALUE)


def test_reveal_gives_the_bytes(secret: Plaintext) -> None:
    assert secret.reveal() == VALUE


def test_whatever_prints_it_prints_a_mask(secret: Plaintext) -> None:
    printed = [
        str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret:>40}", f"{secret!s:.9}",
        "%s" % secret, "%r" % secret, "{:x}".format(secret), ascii(secret),  # noqa: UP031, UP032 -- these forms are the test
        str([secret]), str({"a": secret}), repr(_Holder(secret)), pprint.pformat([secret]),
    ]  # fmt: skip
    assert all(MASK in text for text in printed)
    assert not any(WORD in text for text in printed)


def test_a_log_shows_a_mask(secret: Plaintext, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("read %s", secret)
    rendered = structlog.processors.LogfmtRenderer()(None, "info", {"value": secret})
    assert caplog.messages == [f"read {MASK}"]
    assert WORD not in str(rendered)


def test_a_traceback_with_locals_shows_a_mask(secret: Plaintext) -> None:
    def fail(held: _Holder) -> None:
        raise ValueError(held)

    with pytest.raises(ValueError, match=re.escape(MASK)) as raised:
        fail(_Holder(secret))
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    text = "".join(shown.format())
    assert "held = " in text
    assert WORD not in text


def test_json_and_yaml_refuse_it(secret: Plaintext) -> None:
    with pytest.raises(TypeError):
        json.dumps({"value": secret})
    with pytest.raises(yaml.YAMLError):
        yaml.safe_dump({"value": secret})
    with pytest.raises(TypeError):
        yaml.dump({"value": secret})


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_refuses_it(secret: Plaintext, protocol: int) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret, protocol)


def test_it_is_not_copied_behind_our_back(secret: Plaintext) -> None:
    for make in (copy.copy, copy.deepcopy, lambda value: asdict(_Holder(value))):
        with pytest.raises(TypeError):
            make(secret)


def test_it_has_no_hash_that_a_log_or_a_set_could_compare(secret: Plaintext) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)
    with pytest.raises(TypeError, match="unhashable"):
        set([secret])  # noqa: C405 -- a literal is the same


def test_nothing_else_can_be_attached_to_it_or_read_from_it(secret: Plaintext) -> None:
    with pytest.raises(AttributeError):
        secret.note = "x"  # type: ignore[attr-defined]  # that is the test
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError):
        bytes(secret)  # type: ignore[call-overload]  # that is the test
    with pytest.raises(TypeError):
        len(secret)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(TypeError):
        iter(secret)  # type: ignore[call-overload]  # that is the test


def test_it_equals_only_the_same_value(secret: Plaintext) -> None:
    assert secret == Plaintext(VALUE)
    assert secret != Plaintext(VALUE + b"\n")
    assert (secret == VALUE) is False
    assert (secret == MASK) is False


def test_only_no_byte_at_all_is_empty() -> None:
    assert Plaintext(b"").is_empty
    assert not Plaintext(b"\n").is_empty
    assert not Plaintext(b"\0").is_empty


@given(st.binary(min_size=4))
def test_no_value_is_ever_in_its_text(value: bytes) -> None:
    secret = Plaintext(value)
    assert str(secret) == MASK
    assert repr(secret) == f"Plaintext({MASK})"
    assert secret.reveal() == value
