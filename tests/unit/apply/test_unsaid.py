"""A policy that reads a Secret and quotes it when it refuses something else."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from flux_secret.apply.unsaid import UNSAID, unsaid
from flux_secret.errors import ForbiddenError, RejectedError
from flux_secret.model.plaintext import Plaintext

VALUE = 'hunter2 "quoted"/'
BRIEF = "patch configmaps/c in demo: refused by the ValidatingAdmissionPolicy p (Invalid)"


def said(words: str, value: str = VALUE) -> str:
    error = RejectedError(BRIEF, remedy="ask", said=words)
    told = unsaid(error, [Plaintext(b"another one"), Plaintext(value.encode())])
    assert isinstance(told, RejectedError)
    assert told.remedy == "ask"
    assert told.what.startswith(f"{BRIEF}: ")
    return told.said


@pytest.mark.parametrize(
    "form",
    [
        VALUE, VALUE[:10], VALUE[3:14], base64.b64encode(VALUE.encode()).decode(),
        base64.b64encode(VALUE.encode()).decode()[4:15],
        base64.urlsafe_b64encode(f"xx{VALUE}yy".encode()).decode(),
        VALUE.encode().hex(), VALUE.encode().hex().upper(), json.dumps(VALUE), quote(VALUE),
        quote(VALUE, safe=""),
    ],
)  # fmt: skip
def test_words_that_show_a_value_or_a_part_of_it_are_not_repeated(form: str) -> None:
    assert said(f"denied request: {form} is not good") == UNSAID


def test_other_words_are_repeated() -> None:
    assert said("denied request: image nginx is not allowed") == (
        "denied request: image nginx is not allowed"
    )


def test_a_short_value_is_seen_whole_and_a_very_short_one_not_at_all() -> None:
    assert said("denied: s3cr is not good", "s3cr") == UNSAID
    assert said("denied: 80 is not good", "80") == "denied: 80 is not good"


def test_an_error_of_our_own_words_stays() -> None:
    error = ForbiddenError(f"the API server does not allow this agent to get {VALUE}")
    assert unsaid(error, [Plaintext(VALUE.encode())]) is error
