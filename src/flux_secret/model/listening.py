"""`--listen` as Flux v1 writes it → an address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import UsageError

_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    """`""` for every interface."""
    port: int
    """0 for any that is free."""

    @classmethod
    def parse(cls, flag: str, text: str) -> Address:
        """Read `HOST:PORT`, `[HOST]:PORT` or `:PORT`; the error names the flag."""
        host, separator, port = text.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        known = host in {"", "localhost"} or _is_address(host)
        if not separator or not port.isdecimal() or int(port) > _MAX_PORT or not known:
            raise UsageError(
                f"{flag} {text!r} is no address to listen on",
                remedy=f"write an IP address and a port: {flag}=127.0.0.1:3030",
            )
        return cls(host, int(port))

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every interface: `:3030`, `0.0.0.0:3030`, `[::]:3030`."""
        return self.host == "" or (
            self.host != "localhost" and ipaddress.ip_address(self.host).is_unspecified
        )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine, in a cluster this pod, can reach it."""
        return self.host == "localhost" or (self.host != "" and is_loopback(self.host))

    def __str__(self) -> str:
        """As `--listen` has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether an IP address is this machine's own; `::ffff:127.0.0.1` is, too."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
