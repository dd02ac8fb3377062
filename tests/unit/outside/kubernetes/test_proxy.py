from __future__ import annotations

import pytest

from flux_secret.outside.kubernetes.proxy import proxy_for

PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("server", "no_proxy", "used"),
    [
        ("https://api.example.org:6443", "", True),
        ("https://api.example.org:6443", "example.org", False),
        ("https://api.example.org:6443", ".example.org", False),
        ("https://api.example.org:6443", "ample.org", True),
        ("https://api.example.org:6443", "example.org:443", True),
        ("https://api.example.org:6443", "example.org:6443", False),
        ("https://api.example.org", "*", False),
        ("https://10.1.2.3", "10.0.0.0/8", False),
        ("https://11.1.2.3", "10.0.0.0/8", True),
        ("https://127.0.0.1:6443", "", False),
        ("https://[::1]:6443", "", False),
        ("https://localhost:6443", "", False),
        ("http://api.example.org", "", False),
    ],
)
def test_the_proxy_is_chosen_as_go_chooses_it(server: str, no_proxy: str, *, used: bool) -> None:
    proxy = proxy_for(server, {**PROXY, "NO_PROXY": no_proxy})
    assert proxy == ("http://proxy:3128" if used else None)


def test_a_proxy_without_scheme_is_http() -> None:
    assert proxy_for("https://api.example.org", {"https_proxy": "proxy:1"}) == "http://proxy:1"
