from __future__ import annotations

from dataclasses import replace

from flux_secret.apply.inventory import Entry, TargetId
from flux_secret.apply.payload import body_of
from flux_secret.apply.plan import Claim, Keep, Refuse, Step, Surroundings, Write, is_settled, step
from flux_secret.apply.scope import Wanted
from flux_secret.errors import NotOursError, RejectedError
from flux_secret.model.manifest import Value
from flux_secret.outside.kubernetes import LiveObject
from unit.apply.builders import CONFIG_MAPS, TARGET, C, entry, inventory, item, live

OWN = entry({"f:data": {"f:a": {}}})
LISTED = Entry(C, "uid-1", digest="d1", fields=OWN.digest)
OTHER = TargetId("ssh://git@example.org/ops", "main", "other")


def wanted(**annotations: Value) -> Wanted:
    given = item("ConfigMap", "c", data={"a": "1"}, metadata={"annotations": annotations})
    return Wanted(C, CONFIG_MAPS, body_of(given, C, "set"), {}, "demo.yaml")


def decided(
    there: LiveObject | None,
    *entries: Entry,
    want: Wanted | None = None,
    digest: str = "d1",
    adopt: bool = False,
    owner: TargetId | None = None,
) -> Step:
    others = {C: owner} if owner else {}
    around = Surroundings(inventory(*entries), {C: there}, others, adopt)
    return step(want or wanted(), digest, around)


def test_what_is_not_there_is_created() -> None:
    for entries in ((), (LISTED,), (Entry(C),)):
        made = decided(None, *entries)
        assert isinstance(made, Write)
        assert not made.uid


def test_ours_and_unchanged_is_kept() -> None:
    assert decided(live(OWN), LISTED) == Keep(C, LISTED)


def test_ours_and_changed_is_written_to_that_uid() -> None:
    made = decided(live(OWN), LISTED, digest="d2")
    assert isinstance(made, Write)
    assert (made.uid, made.note) == ("uid-1", "")


def test_a_new_resource_version_alone_is_no_drift() -> None:
    there = live(OWN, entry({"f:status": {}}, "controller"))
    assert isinstance(decided(there, LISTED), Keep)


def test_our_entry_changed_is_drift() -> None:
    for own in ((), (entry({"f:data": {}}),)):
        made = decided(live(*own), LISTED)
        assert isinstance(made, Write)
        assert made.note.startswith("repaired: ")


def test_an_entry_whose_last_write_is_not_known_is_written_without_talk_of_repair() -> None:
    made = decided(live(OWN), Entry(C, "uid-1"))
    assert isinstance(made, Write)
    assert made.note == ""


def test_a_stranger_is_refused_or_adopted_openly() -> None:
    there = live(entry({"f:data": {"f:a": {}}}, "kubectl"), labels={})
    refused = decided(there)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, NotOursError)
    adopted = decided(there, adopt=True)
    assert isinstance(adopted, Write)
    assert adopted.adopted
    assert adopted.note == "adopted: it was there before (its fields are kubectl's)"


def test_even_our_own_label_and_fields_do_not_make_an_unlisted_object_ours() -> None:
    assert isinstance(decided(live(OWN)), Refuse)


def test_another_uid_needs_our_label_and_our_fields() -> None:
    assert isinstance(decided(live(OWN, uid="uid-2", labels={}), LISTED), Refuse)
    assert isinstance(decided(live(uid="uid-2"), LISTED), Refuse)
    restored = decided(live(OWN, uid="uid-2"), LISTED)
    assert isinstance(restored, Write)
    assert restored.uid == "uid-2"


def test_an_intent_that_became_true_is_ours() -> None:
    assert isinstance(decided(live(OWN), Entry(C)), Write)
    assert isinstance(decided(live(OWN, labels={}), Entry(C)), Refuse)


def test_another_targets_object_is_claimed_whether_it_is_there_or_not() -> None:
    for there in (None, live(OWN)):
        claim = decided(there, owner=OTHER, adopt=True)
        assert isinstance(claim, Claim)
        assert claim.owner == OTHER


def test_what_two_lists_hold_is_ours_too() -> None:
    assert isinstance(decided(live(OWN), LISTED, owner=TARGET), Keep)


def test_an_object_that_is_going_is_left_alone() -> None:
    assert isinstance(decided(live(OWN, is_going=True), LISTED), Refuse)


def test_policies() -> None:
    name = "flux-secret.io/apply"
    ignored = decided(None, want=wanted(**{name: "ignore"}))
    assert isinstance(ignored, Keep)
    once = wanted(**{name: "if-not-present"})
    assert isinstance(decided(None, want=once), Write)
    assert isinstance(decided(live(OWN), LISTED, want=once, digest="d2"), Keep)
    assert isinstance(decided(live(labels={}), want=once), Refuse)
    wrong = decided(None, want=wanted(**{name: "sometimes"}))
    assert isinstance(wrong, Refuse)
    assert isinstance(wrong.error, RejectedError)


def test_merge_leaves_out_what_others_took() -> None:
    there = live(entry({"f:metadata": {}}), entry({"f:data": {"f:a": {}}}, "injector"))
    made = decided(there, LISTED, want=wanted(**{"flux-secret.io/apply": "merge"}))
    assert isinstance(made, Write)
    assert made.note == "left to others: data.a"
    assert made.body is not None
    assert made.body["data"] == {}


def test_an_object_whose_write_was_not_listed_is_not_settled() -> None:
    ours = entry({"f:data": {}})
    listed = Entry(C, "uid-1", digest="d", fields=ours.digest)
    assert is_settled(listed, live(ours))
    assert not is_settled(replace(listed, digest=""), live(ours))
