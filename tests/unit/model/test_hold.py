"""What people suspended, read from a ConfigMap's data; whatever else stands there is nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flux_secret.model.app import App, AppName
from flux_secret.model.hold import EVERYTHING, Hold, key_of, name_of

NAMES = st.builds(
    AppName, st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,60}", fullmatch=True),
)  # fmt: skip


@given(st.frozensets(NAMES), st.booleans())
def test_what_is_written_is_read(names: frozenset[AppName], everything: bool) -> None:
    data = {key_of(name): "2026" for name in names} | ({EVERYTHING: "2026"} if everything else {})
    assert Hold.parse(data) == Hold(everything, names)
    assert {name_of(key_of(name)) for name in names} == names


@given(st.dictionaries(st.text(), st.text()))
def test_whatever_stands_there_is_read(data: dict[str, str]) -> None:
    assert Hold.parse(data).everything is (EVERYTHING in data)


def test_an_app_is_suspended_by_itself_or_beside_it() -> None:
    app = App(AppName("dev", "a"), ())
    assert Hold().on(app) is app
    assert Hold(everything=True).on(app).suspended
    assert Hold(names=frozenset({app.name})).on(app).suspended
    other = App(AppName("dev", "b"), (), suspended=True)
    assert Hold(names=frozenset({app.name})).on(other).suspended, "as it says itself"
