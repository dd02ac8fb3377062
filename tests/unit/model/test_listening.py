"""`--listen` as people write it."""

from __future__ import annotations

import pytest

from flux_secret.errors import UsageError
from flux_secret.model.listening import Address


@pytest.mark.parametrize(
    ("text", "everywhere", "loopback"),
    [
        (":3030", True, False),
        ("0.0.0.0:3030", True, False),
        ("[::]:3030", True, False),
        ("127.0.0.1:3030", False, True),
        ("localhost:3030", False, True),
        ("[::1]:3030", False, True),
        ("[::ffff:127.0.0.1]:3030", False, True),
        ("10.1.2.3:3030", False, False),
    ],
)
def test_an_address_is_everywhere_or_here_or_neither(
    text: str, *, everywhere: bool, loopback: bool
) -> None:
    address = Address.parse("--listen", text)
    assert (address.is_everywhere, address.is_loopback) == (everywhere, loopback)
    assert str(address) == text


@pytest.mark.parametrize("text", ["3030", ":", ":70000", "example.org:3030", ":x", "[::1]", ""])
def test_what_is_no_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no address to listen on"):
        Address.parse("--listen", text)
