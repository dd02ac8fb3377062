"""The verdict by itself: who has to agree, to what, and what an old approval is worth."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace

from flux_secret.access.approvals import Line, Mark, Verdict, command, told, verdict
from flux_secret.model.approval import State
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import NOBODY, Owner, Owners, Rule

KEYS = {name: OwnerKey(KeyKind.OPENPGP, name[0].upper() * 40) for name in ("alice", "bob", "carol")}
SECOND = OwnerKey(KeyKind.OPENPGP, "9" * 40)


def owned(*names: str, approvals: int = 1) -> Owners:
    keys = {name: ((KEYS[name], SECOND) if name == "alice" else (KEYS[name],)) for name in names}
    people = {name: Owner(name, keys[name]) for name in names}
    return Owners(people, (Rule("p", names, approvals),))


@dataclass
class Story:
    """A line of commits, each named by a letter for its content: `st` is s, then t."""

    contents: str
    owners: dict[int, Owners] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    default: Owners = field(default_factory=lambda: owned("alice", "bob", approvals=2))

    def state(self, at: int) -> State:
        return State(f"c{at}", self.contents[at])

    def signs(self, who: str, old: str, at: int, problem: str = "") -> Story:
        key = SECOND if who == "alice2" else KEYS[who]
        before = None if old == "-" else old
        self.marks.append(Mark(before, self.state(at), key, problem))
        return self

    def verdict(self, *, first: bool = False) -> Verdict:
        """Judge; the first content is what was approved before."""
        start = None if first else self.state(0)
        states = tuple(map(self.state, range(0 if first else 1, len(self.contents))))
        return verdict(
            "p", start, Line(states), self.marks,
            lambda commit: self.owners.get(int(commit[1:]), self.default),
        )  # fmt: skip


def approved(story: Story) -> str:
    found = story.verdict()
    return found.approved.content if found.approved else "-"


def test_what_nobody_changed_needs_nobody() -> None:
    found = Story("sss").verdict()
    assert (found.approved, found.is_held, found.needed) == (State("c2", "s"), False, 0)


def test_a_change_waits_until_as_many_people_as_the_rule_asks_for_have_signed_it() -> None:
    story = Story("st").signs("alice", "s", 1)
    held = story.verdict()
    assert held.approved == State("c0", "s")
    assert (held.signed, held.missing, held.needed) == (("alice",), ("bob",), 1)
    assert list(told(held, "apps")) == [
        "p at c1 is not approved: the signature of bob is missing",
        "an owner gives it with: flux-secret owners approve apps p",
    ]
    story.signs("bob", "s", 1)
    assert story.verdict().approved == State("c1", "t")
    assert not story.verdict().is_held


def test_two_keys_of_one_person_are_one_person() -> None:
    story = Story("st").signs("alice", "s", 1).signs("alice2", "s", 1)
    assert story.verdict().missing == ("bob",)


def test_a_signature_that_is_not_good_does_not_count_and_is_named() -> None:
    story = Story("st").signs("alice", "s", 1).signs("bob", "s", 1, "the key is revoked")
    found = story.verdict()
    assert found.is_held
    assert found.ignored == (
        "the signature of bob (0xBBBBBBBBBBBBBBBB) does not count: the key is revoked",
    )


def test_a_strangers_signature_does_not_count() -> None:
    story = Story("st").signs("alice", "s", 1).signs("carol", "s", 1)
    found = story.verdict()
    assert found.is_held
    assert "of no owner of p" in found.ignored[0]


def test_owners_may_sign_different_commits_with_the_same_content() -> None:
    assert approved(Story("stt").signs("alice", "s", 1).signs("bob", "s", 2)) == "t"


def test_steps_follow_one_another() -> None:
    story = Story("stu")
    for who in ("alice", "bob"):
        story.signs(who, "s", 1).signs(who, "t", 2)
    assert approved(story) == "u"


def test_the_furthest_content_counts_and_the_rest_is_held() -> None:
    story = Story("stuv")
    for who in ("alice", "bob"):
        story.signs(who, "s", 1)
    found = story.verdict()
    assert found.approved == State("c1", "t")
    assert found.wanted == State("c3", "v")


def test_a_step_that_skips_a_bad_commit_counts() -> None:
    story = Story("sxt").signs("alice", "s", 2).signs("bob", "s", 2)
    assert approved(story) == "t"


def test_old_content_that_is_put_back_is_held() -> None:
    story = Story("sts").signs("alice", "s", 1).signs("bob", "s", 1)
    found = story.verdict()
    assert (found.approved, found.wanted) == (State("c1", "t"), State("c2", "s"))


def test_an_approval_that_was_used_up_does_not_count_again() -> None:
    story = Story("stst").signs("alice", "s", 1).signs("bob", "s", 1)
    story.signs("alice", "t", 2).signs("bob", "t", 2)
    found = story.verdict()
    assert (found.approved, found.wanted) == (State("c2", "s"), State("c3", "t"))
    story.signs("alice", "s", 3).signs("bob", "s", 3)
    assert not story.verdict().is_held


def test_content_that_came_back_before_anybody_approved_the_other_is_what_it_was() -> None:
    found = Story("sts").signs("alice", "s", 1).verdict()
    assert (found.approved, found.is_held) == (State("c2", "s"), False)


def test_an_approval_for_another_commit_or_content_does_not_count() -> None:
    story = Story("st")
    for who in ("alice", "bob"):
        story.marks.append(Mark("s", State("c9", "t"), KEYS[who]))
        story.marks.append(Mark("s", State("c1", "u"), KEYS[who]))
        story.marks.append(Mark("x", State("c1", "t"), KEYS[who]))
    assert story.verdict().is_held


def test_who_changes_the_rule_needs_those_whom_the_old_one_names() -> None:
    story = Story("st", {1: owned("carol")}).signs("carol", "s", 1)
    assert story.verdict().is_held
    story.signs("alice", "s", 1).signs("bob", "s", 1)
    assert not story.verdict().is_held


def test_after_an_approved_rule_its_own_owners_decide() -> None:
    story = Story("stu", {1: owned("carol"), 2: owned("carol")})
    story.signs("alice", "s", 1).signs("bob", "s", 1).signs("carol", "t", 2)
    assert approved(story) == "u"
    removed = Story("stu", {1: owned("carol"), 2: owned("carol")})
    for who in ("alice", "bob"):
        removed.signs(who, "s", 1).signs(who, "t", 2)
    assert approved(removed) == "t"


def test_the_first_rule_is_approved_by_its_own_owners() -> None:
    story = Story("t", default=owned("alice", "bob"))
    held = story.verdict(first=True)
    assert (held.approved, held.missing, held.needed) == (None, ("alice", "bob"), 1)
    assert "the signature of 1 of alice, bob is missing" in next(told(held, "apps"))
    assert not story.signs("bob", "-", 0).verdict(first=True).is_held


def test_what_its_owners_have_given_up_is_held_no_more() -> None:
    story = Story("stu", {1: NOBODY, 2: NOBODY}).signs("alice", "s", 1)
    assert story.verdict().is_held
    story.signs("bob", "s", 1)
    assert story.verdict().approved == State("c2", "u")
    claimed = Story("stu", {1: NOBODY, 2: owned("carol")})
    claimed.signs("alice", "s", 1).signs("bob", "s", 1)
    assert claimed.verdict().missing == ("carol",)


def test_of_two_branches_both_ends_are_named() -> None:
    story = Story("stuv", default=owned("alice", "bob"))
    found = story.signs("alice", "s", 1).signs("bob", "s", 2).verdict()
    assert {end.content for end in found.ends if end} == {"t", "u"}
    assert {one.old for one in found.steps("1" * 40)} == set(found.ends)


def test_a_head_that_cannot_be_read_holds_everything() -> None:
    def broken(_commit: str) -> Owners:
        return owned("alice", "bob")

    found = verdict("p", State("c0", "s"), Line((), "owners.yaml is no YAML"), (), broken)
    assert found.is_held
    assert found.approved == State("c0", "s")
    assert next(told(found, "apps")).startswith("p: owners.yaml is no YAML")


def test_nothing_is_told_of_what_is_not_held() -> None:
    assert not list(told(Story("ss").verdict(), "apps"))


def test_the_command_is_quoted_whatever_a_path_is_called() -> None:
    held = Story("st").verdict()
    assert command(held, "apps") == "flux-secret owners approve apps p"
    for prefix in ("demo/$(touch pwned)", "a b;c", "it's, `x` & y"):
        line = command(replace(held, prefix=prefix), "apps")
        assert shlex.split(line)[3:] == ["apps", prefix]
        assert [*told(replace(held, prefix=prefix), "apps")][-1].endswith(f" with: {line}")
    assert command(replace(held, prefix=""), "apps") == "flux-secret owners approve apps"
    assert not command(replace(held, problem="no YAML"), "apps")
