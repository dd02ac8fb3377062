"""Every break that docs/why.md lists is tried by a test of its number, and the other way round."""

from __future__ import annotations

import re

from architecture.conftest import DOCS, ROOT

TESTS = ("behaviour/test_why.py", "behaviour/test_why_apps.py", "cluster/test_why.py")


def test_the_breaks_of_the_page_are_those_that_are_tried() -> None:
    listed = re.findall(r"^\| (\d+) \|", (DOCS / "why.md").read_text(), re.MULTILINE)
    texts = [(ROOT / "tests" / name).read_text() for name in TESTS]
    tried = {number for text in texts for number in re.findall(r"def test_(\d+)_", text)}
    assert len(listed) >= 15
    assert listed == [str(number) for number in range(1, len(listed) + 1)]
    assert set(listed) == tried
