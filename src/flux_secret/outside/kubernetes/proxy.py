"""Proxy variables and a server's address → the proxy to use, as Go's HTTP client chooses it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(server: str, environ: Mapping[str, str]) -> str | None:
    """Give the proxy's address, or None: loopback is never reached through one."""
    proxy = environ.get("HTTPS_PROXY") or environ.get("https_proxy")
    if not proxy or not server.startswith("https://"):
        return None
    parts = urlsplit(server)
    host = (parts.hostname or "").lower()
    excepted = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if _is_loopback(host) or any(_matches(host, parts.port, e) for e in excepted.split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _matches(host: str, port: int | None, entry: str) -> bool:
    entry = entry.strip().lower()
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name, colon, number = entry.partition(":")
        if colon and number != str(port or 443):
            return False
        return bool(name) and (host == name.lstrip(".") or host.endswith("." + name.lstrip(".")))
