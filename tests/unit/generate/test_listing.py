"""What `gopass ls` and `gopass find` print; the vectors were printed by gopass 1.16.1."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flux_secret.generate.listing import Finding, Listing
from flux_secret.model.names import SecretPath

NAMES = [
    "apps/Upper", "apps/application/demo", "apps/application/demo/prod/db",
    "apps/application/demo/prod/web", "apps/application/demo/test/db", "apps/demo",
    "apps/with space", "apps/zeta",
]  # fmt: skip
PATHS = [SecretPath.parse(name) for name in NAMES]


def render(prefix: str, *, flat: bool = False, strip_prefix: bool = False) -> str:
    below = [path for path in PATHS if f"{path}/".startswith(f"{prefix}/" if prefix else "")]
    return Listing(prefix, flat=flat, strip_prefix=strip_prefix).render(below)


def test_a_tree_is_drawn_as_gopass_draws_it() -> None:
    assert render("apps") == (
        "apps/\n"
        "├── Upper\n"
        "├── application/\n"
        "│   └── demo/ (shadowed)\n"
        "│       ├── prod/\n"
        "│       │   ├── db\n"
        "│       │   └── web\n"
        "│       └── test/\n"
        "│           └── db\n"
        "├── demo\n"
        "├── with space\n"
        "└── zeta\n"
        "\n"
    )


def test_a_folder_that_is_an_entry_too_lists_what_is_below() -> None:
    assert render("apps/application/demo", flat=True, strip_prefix=True) == (
        "prod/db\nprod/web\ntest/db\n"
    )
    assert render("apps/application/demo").startswith("apps/application/demo/\n├── prod/\n")


def test_an_entry_lists_itself_whole() -> None:
    assert render("apps/demo") == render("apps/demo", flat=True, strip_prefix=True) == "apps/demo\n"


def test_a_flat_list_is_one_name_a_line() -> None:
    assert render("", flat=True) == "".join(f"{name}\n" for name in NAMES)


def test_nothing_there_is_an_empty_text() -> None:
    assert render("nope") == ""
    assert render("apps/dem", flat=True) == ""


def test_a_search_takes_any_part_of_a_name_in_any_case() -> None:
    assert Finding("UPPER").render(PATHS) == "apps/Upper\n"
    assert Finding("prod/").render(PATHS) == (
        "apps/application/demo/prod/db\napps/application/demo/prod/web\n"
    )
    assert Finding("apps/.*db").render(PATHS) == ""


PARTS = st.lists(st.text("ab/", min_size=1, max_size=6), min_size=1, max_size=8)


@given(PARTS)
def test_a_tree_has_a_line_for_every_entry(names: list[str]) -> None:
    paths = {SecretPath(tuple(name.split("/"))) for name in names}
    lines = Listing("", flat=False, strip_prefix=False).render(sorted(paths)).splitlines()
    entries = [line for line in lines[1:-1] if not line.endswith("/")]
    assert len(entries) == len(paths)
