"""The ways to write one repository's address → the name that they have in common.

A host has several names (`ssh.github.com`, a Service in the cluster), ports and transports; the
path is what stays. So two repositories of one path on two hosts are taken for one: this is good
enough to decide whom to ask for news, and for nothing else.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

MAX_ADDRESS: Final = 2048  # characters; what is longer names nothing


def repository_name(untrusted_address: str) -> str:
    """Give `org/repo` of any address or name, or nothing; it is the same for each of them.

    Hosts do not tell upper from lower case, or redirect.
    """
    text = untrusted_address.strip()
    if len(text) > MAX_ADDRESS:
        return ""
    _, is_url, rest = text.partition("://")
    if is_url:
        path = rest.partition("/")[2]
    else:
        host, is_scp, rest = text.partition(":")
        path = rest if is_scp and "/" not in host else text
    path = unquote(re.split(r"[?#]", path, maxsplit=1)[0])
    parts = [part for part in path.casefold().split("/") if part.strip(". ")]
    return "/".join(parts).removesuffix(".git")


def is_same_repository(one: str, other: str) -> bool:
    """Whether two such names may mean one repository.

    One may have something before it: a host below a path, `scm` in Bitbucket's.
    """
    short, long = sorted((one.split("/"), other.split("/")), key=len)
    if len(short) < 2:  # noqa: PLR2004 -- org and repo
        return one == other != ""
    return long[-len(short) :] == short
