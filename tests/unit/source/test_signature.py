"""Which state of a branch may be delivered when not all of its commits are signed."""

from __future__ import annotations

from flux_secret.source.signature import Choice, newest_good
from unit.source.fakes import Signed


def line(*commits: str) -> list[Signed]:
    """A straight branch; `!` is behind a commit that is not well signed."""
    names = [one.rstrip("!") for one in commits]
    parents = [(), *((name,) for name in names)]
    return [
        Signed(name, parent, not one.endswith("!"))
        for one, name, parent in zip(commits, names, parents, strict=False)
    ]


def test_the_newest_commit_is_delivered_when_all_are_signed() -> None:
    assert newest_good(line("1", "2", "3"), "3", None) == Choice("3", None)


def test_nothing_new_is_fine() -> None:
    assert newest_good([], "3", "3") == Choice("3", None)


def test_the_commit_before_the_first_bad_one_is_delivered() -> None:
    assert newest_good(line("1", "2", "3!", "4"), "4", None) == Choice("2", "3", "it is not signed")


def test_a_good_commit_behind_a_bad_one_counts_for_nothing() -> None:
    assert newest_good(line("1", "2!", "3", "4!", "5"), "5", None) == Choice(
        "1", "2", "it is not signed"
    )


def test_nothing_is_delivered_when_the_first_commit_is_bad() -> None:
    assert newest_good(line("1!", "2"), "2", None) == Choice(None, "1", "it is not signed")


def test_the_marker_stays_delivered_when_the_first_commit_after_it_is_bad() -> None:
    commits = [Signed("2", ("1",), is_good=False), Signed("3", ("2",))]
    assert newest_good(commits, "3", "1") == Choice("1", "2", "it is not signed")


def test_a_merge_that_is_bad_does_not_deliver_the_side_branch_alone() -> None:
    """In git's list the side branch's commit is the one before the merge; it lacks `2`."""
    commits = [
        Signed("1", ()),
        Signed("2", ("1",)),
        Signed("side", ("1",)),
        Signed("merge", ("2", "side"), is_good=False),
    ]
    assert newest_good(commits, "merge", None) == Choice("2", "merge", "it is not signed")


def test_a_bad_commit_of_a_side_branch_spoils_the_merge() -> None:
    commits = [
        Signed("1", ()),
        Signed("side", ("1",), is_good=False),
        Signed("2", ("1",)),
        Signed("merge", ("2", "side")),
    ]
    assert newest_good(commits, "merge", None) == Choice("2", "side", "it is not signed")


def test_with_first_parent_only_the_branch_itself_counts() -> None:
    """The list has no commit of side branches then, and they are parents nobody looks at."""
    commits = [Signed("1", ()), Signed("2", ("1",)), Signed("merge", ("2", "side"))]
    assert newest_good(commits, "merge", None) == Choice("merge", None)
