"""Custom resources as people write them: good ones, and bad ones with what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Tree = dict[str, Any]
URL: Final = "git@git.example.org:org/ops"
REFERENCE: Final = "ref+gopass://apps/application/demo/dev/db#password"
WINDOW: Final = {"days": ["mon-fri"], "from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}
RESTART: Final = {"enabled": True, "workloads": "all", "budget": 5, "freeze": [WINDOW]}

FULL: Final[Mapping[str, Tree]] = {
    "App": {
        "source": {"url": URL, "branch": "main"},
        "path": "demo/overlay/dev",
        "stores": ["apps", "team.shared"],
        "interval": "10m",
        "retryInterval": "5s",
        "timeout": "1m30s",
        "prune": False,
        "deletionPolicy": "Orphan",
        "suspend": True,
        "serviceAccountName": "deployer",
        "targetNamespace": "dev-demo",
        "namespaces": ["dev-demo", "*"],
        "generate": {"enabled": False, "env": {"APPLICATIONSTORE": "apps"}, "network": True},
        "restart": RESTART,
    },
    "Store": {
        "url": URL,
        "mount": "team/apps",
        "readers": [{"namespaces": ["dev-demo", "*"], "paths": ["application/demo/dev", "*"]}],
        "owners": {"anchor": {"commit": "0" * 40, "keys": [f"openpgp:{'A' * 40}"]}},
        "suspend": True,
    },
    "StoreSecret": {
        "type": "kubernetes.io/basic-auth",
        "target": {"name": "database"},
        "data": {"password": REFERENCE},
        "interval": "10m",
        "deletionPolicy": "Orphan",
        "suspend": True,
        "restart": RESTART,
    },
}
"""Every field there is."""

LEAST: Final[Mapping[str, Tree]] = {
    "App": {"source": {"url": URL, "branch": "main"}},
    "Store": {"url": URL},
    "StoreSecret": {"data": {"password": REFERENCE}},
}
"""Nothing that can be left out."""


SSH_KEY: Final = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhvbWUgb2YgYSBrZXkgdGhhdCBub2JvZHkgaGFzICEh alice"
)


def with_url(kind: str, url: str) -> Tree:
    """Give a document with another address."""
    return {"source": {"url": url, "branch": "main"}} if kind == "App" else {"url": url}


def also(kind: str, **fields: object) -> Tree:
    """Give the least document and some more fields."""
    return {**LEAST[kind], **fields}


GOOD_URLS: Final = (
    "/srv/git/ops", "/srv/my ops", "file:///srv/git/ops", "ssh://git@git.example.org:2222/org/ops",
    "ssh://git.example.org/ops", "git@git.example.org:org/ops", "git.example.org:/srv/ops",
    "host:ops", "https://git.example.org/org/ops.git", "https://git.example.org:8443",
    "http://127.0.0.1:3000/ops", "http://[::1]:3000/ops", "http://localhost/ops",
    "https://[2001:db8::1]:65535/ops", "https://git.example.org/org/my%20ops",
    "git@git.example.org:org/größe",
)  # fmt: skip
BAD_URLS: Final[Sequence[tuple[str, str]]] = [
    *((url, "is not a git address") for url in (
        "http://git.example.org/ops", "ftp://git.example.org/ops", "ext::sh -c id", "ops",
        "--upload-pack=id", "git@git.example.org", "host:-x", "host:secret@git.example.org/ops",
        "https://", "https://git.example.org:65536/ops", "https://git.example.org/ops?token=x",
        "https://git.example.org/ops#x", "file://host/ops", "file://", "ssh://-oProxyCommand=id/x",
        "HTTPS//git.example.org",
        "http://localhost.example.org/ops", "ssh://git@git.example.org:99999/x", " host:ops",
    )),
    *((url, "holds a user or a password") for url in (
        "https://user:password@git.example.org/ops", "https://token@git.example.org/ops",
        "https://a@b@git.example.org/ops", "https://git.example.org\\@evil.example.org/ops", "ssh://git:password@git.example.org/ops",
        "http://x@localhost/ops",
    )),
    ("/srv/ops\t", "cannot be printed"),
    ("git@git.example.org:org/\u202eops", "cannot be printed"),
    ("https://git.example.org/\u00a0x", "cannot be printed"),
    ("https://git.example.org/ops%0a", "stands for no printable"),
    ("https://git.example.org/%ff", "stands for no printable"),
]  # fmt: skip

GOOD: Final[Sequence[tuple[str, Tree]]] = [
    *FULL.items(),
    *LEAST.items(),
    *((kind, with_url(kind, url)) for kind in ("App", "Store") for url in GOOD_URLS),
    *(
        ("App", also("App", path=path))
        for path in (".", "./a", "a//b/", "a/..b", "größe/x", "a b", "...")
    ),
    *(("App", also("App", interval=text)) for text in ("1s", "1000ms", "1.5h", "999999h999999h9h")),
    *(("App", {"source": {"url": URL, "branch": name}}) for name in ("release/1.2", "a", "größe")),
    ("App", also("App", restart={})),
    ("App", also("App", restart={"enabled": False})),
    ("App", also("App", restart={"freeze": [{}, {"days": ["sat", "sun"]}, {"from": "18:00"}]})),
    ("App", also("App", generate={})),
    ("App", also("App", stores=[], namespaces=[])),
    *(
        ("Store", also("Store", readers=[{"namespaces": ["a"], "paths": [path]}]))
        for path in ("*", "a", "a/b c/ö", "..a/.b", ".../x")
    ),
    *(("Store", also("Store", mount=name)) for name in ("_a", "a.b@c", "a/b/c-d")),
    ("Store", also("Store", owners={})),
    ("Store", also("Store", owners={"anchor": {}})),
    ("Store", also("Store", owners={"anchor": {"commit": "0123456789abcdef" * 4}})),
    ("Store", also("Store", owners={"anchor": {"keys": [SSH_KEY, f"openpgp:{'0a' * 20}"]}})),
    *(
        ("StoreSecret", {"data": {"a.b-c_D": text}})
        for text in (
            "ref+gopass://apps/db", "ref+gopass://apps//a/db/", "ref+gopass://apps/a b/ö",
            "ref+gopass://apps/a%20b%23/db#user%20name", "ref+gopass://apps/x?encoding=base64",
            "ref+gopass://apps/x?encoding=binary", "ref+gopass://apps/x?encoding=text#key",
            "ref+gopass://apps/..x/.y/...", "ref+gopass://apps/db#", "ref+gopass://apps/db#a/b#c",
        )
    ),
    ("StoreSecret", also("StoreSecret", target={})),
    ("StoreSecret", {"data": {".dockerconfigjson": REFERENCE}, "type": "x.example.org/y"}),
]  # fmt: skip

UNKNOWN: Final = "unknown field"
DURATIONS: Final = ("0", "0s", "999ms", "-5m", "5", "5 m", "1d", "m", "99999999h", "\u0661s")
BAD: Final[Sequence[tuple[str, Tree, str]]] = [
    *((kind, with_url(kind, url), said) for kind in ("App", "Store") for url, said in BAD_URLS),
    ("App", {}, "source"),
    ("App", {"source": {"url": URL}}, "branch"),
    *(
        ("App", {"source": {"url": URL, "branch": name}}, "is no branch name")
        for name in ("-main", "/main", "a..b", "a\nb", "\u2028")
    ),
    *(
        ("App", also("App", path=path), "is no path inside the repository")
        for path in ("/etc", "..", "a/../b", "../x", "a\tb")
    ),
    *(
        ("App", also("App", **{field: text}), "is no duration of at least 1s")
        for field in ("interval", "retryInterval", "timeout")
        for text in DURATIONS
    ),
    ("App", also("App", stores=["a_b"]), "is no name of a Store"),
    ("App", also("App", stores=["a", "a"]), "Duplicate value"),
    ("App", also("App", deletionPolicy="Keep"), 'supported values: "Prune", "Orphan"'),
    ("App", also("App", serviceAccountName="A"), "is no name of a ServiceAccount"),
    ("App", also("App", targetNamespace="a.b"), "is no name of a Namespace"),
    ("App", also("App", namespaces=["**"]), "is no name of a Namespace"),
    ("App", also("App", generate={"env": {"1X": "x"}}), "a name that is no variable's"),
    ("App", also("App", generate={"env": {"A-B": "x"}}), "a name that is no variable's"),
    ("App", also("App", suspend="yes"), "must be of type boolean"),
    ("App", also("App", extra=1), UNKNOWN),
    ("App", also("App", source={"url": URL, "branch": "main", "tag": "v1"}), UNKNOWN),
    ("App", also("App", restart={"budget": 0}), "greater than or equal to 1"),
    ("App", also("App", restart={"budget": 1001}), "less than or equal to 1000"),
    ("App", also("App", restart={"workloads": "some"}), 'supported values: "delivered", "all"'),
    *(
        ("App", also("App", restart={"freeze": [window]}), said)
        for window, said in (
            ({"days": []}, "at least 1 items"),
            ({"days": ["mo"]}, "is no day"),
            ({"days": ["mon-tue-wed"]}, "is no day"),
            ({"from": "8:00"}, "is no time"),
            ({"from": "24:00"}, "is no time"),
            ({"to": "24:01"}, "is no time"),
            ({"to": "1080"}, "is no time"),
            ({"from": "09:00", "to": "09:00"}, "has no length"),
            ({"to": "00:00"}, "has no length"),
            ({"timeZone": "Europe Berlin"}, "is no name of a time zone"),
            ({"zone": "UTC"}, UNKNOWN),
        )
    ),
    ("Store", {}, "url"),
    *(
        ("Store", also("Store", mount=name), "is no store name")
        for name in ("-a", "a//b", "a b", "/a", "a/")
    ),
    *(
        ("Store", also("Store", owners={"anchor": {"commit": commit}}), "no commit by its whole id")
        for commit in ("main", "0123abcd", "A" * 40, "")
    ),
    *(
        ("Store", also("Store", owners={"anchor": {"keys": [key]}}), "it is no key")
        for key in ("alice@example.org", "openpgp:0123", "ssh-ed25519")
    ),
    ("Store", also("Store", readers=[{"namespaces": ["a"]}]), "paths"),
    ("Store", also("Store", readers=[{"namespaces": [], "paths": ["a"]}]), "at least 1 items"),
    ("Store", also("Store", readers=[{"namespaces": ["a"], "paths": []}]), "at least 1 items"),
    (
        "Store",
        also("Store", readers=[{"namespaces": ["A"], "paths": ["a"]}]),
        "is no name of a Namespace",
    ),
    *(
        ("Store", also("Store", readers=[{"namespaces": ["a"], "paths": [path]}]), "is no folder")
        for path in ("/a", "a/", "a//b", ".", "a/./b", "..", "a/../b")
    ),
    (
        "Store",
        also("Store", readers=[{"namespaces": ["a"], "paths": ["a\tb"]}]),
        "should match",
    ),
    ("StoreSecret", {}, "data"),
    ("StoreSecret", {"data": {}}, "at least 1 properties"),
    *(
        ("StoreSecret", {"data": {"key": text}}, "is no reference")
        for text in (
            "hunter2", "gopass://apps/db", "ref+gopass://apps", "ref+gopass:///apps/db",
            "ref+gopass://apps/../db", "ref+gopass://apps/./db", "ref+gopass://apps/a%2e%2e/db",
            "ref+gopass://apps/%0a", "ref+gopass://apps/%ff", "ref+gopass://apps/a\tb",
            "ref+gopass://apps/db?encoding=hex", "ref+gopass://apps/db#key?encoding=base64",
            "ref+gopass://apps/db?x=1", "ref+gopass://apps/%2e%2e/db",
        )
    ),
    *(
        ("StoreSecret", {"data": {name: REFERENCE}}, "a name that is no key of a Secret")
        for name in ("a b", "..", "..a", ".", "a/b")
    ),
    ("StoreSecret", also("StoreSecret", target={"name": "A"}), "is no name of a Secret"),
    ("StoreSecret", also("StoreSecret", interval="0s"), "is no duration of at least 1s"),
    ("StoreSecret", also("StoreSecret", stores=["apps"]), UNKNOWN),
    ("StoreSecret", also("StoreSecret", deletionPolicy="Keep"), "supported values"),
]  # fmt: skip
