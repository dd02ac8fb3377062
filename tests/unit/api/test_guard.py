"""A connection is ours only when both of its ends are loopback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from flux_secret.api.guard import comes_from_here


@dataclass
class Ends(asyncio.BaseTransport):
    """A connection between two addresses."""

    sockname: object
    peername: object

    def get_extra_info(self, name: str, default: object = None) -> object:
        return getattr(self, name, default)


@pytest.mark.parametrize(
    ("ours", "theirs", "here"),
    [
        (("127.0.0.1", 3030), ("127.0.0.1", 4), True),
        (("127.0.0.1", 3030), ("127.0.0.53", 4), True),
        (("::1", 3030, 0, 0), ("::1", 4, 0, 0), True),
        (("::ffff:127.0.0.1", 3030, 0, 0), ("::ffff:127.0.0.1", 4, 0, 0), True),
        (("10.1.2.3", 3030), ("10.1.2.9", 4), False),
        (("10.1.2.3", 3030), ("127.0.0.6", 4), False),  # a sidecar that passes strangers on
        (("127.0.0.1", 3030), ("10.1.2.9", 4), False),  # CVE-2020-8558
        (("::ffff:10.1.2.3", 3030, 0, 0), ("::ffff:127.0.0.1", 4, 0, 0), False),
        ("/run/socket", "", False),
        (None, None, False),
    ],
)
def test_both_ends_count(ours: object, theirs: object, *, here: bool) -> None:
    assert comes_from_here(Ends(ours, theirs)) is here


def test_a_connection_that_is_gone_is_from_nowhere() -> None:
    assert not comes_from_here(None)
