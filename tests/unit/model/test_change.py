from __future__ import annotations

from flux_secret.errors import RejectedError
from flux_secret.model.change import Action, Change
from flux_secret.model.names import ObjectKey

KEY = ObjectKey("apps", "Deployment", "demo", "web")
ORIGIN = "demo/web.yaml, document 2, line 9"


def failure(what: str, origin: str = ORIGIN) -> str:
    return Change(KEY, Action.FAILED, error=RejectedError(what), origin=origin).failure


def test_a_failure_names_the_object_its_file_and_line_and_the_reason() -> None:
    assert failure("patch deployments.apps/web in demo: refused") == (
        f"deployment.apps/web in demo ({ORIGIN}): patch deployments.apps/web in demo: refused"
    )


def test_the_object_is_not_named_twice() -> None:
    assert failure("deployment.apps/web in demo is being deleted") == (
        f"deployment.apps/web in demo ({ORIGIN}) is being deleted"
    )
    assert (
        failure("deployment.apps/web in demo: no") == f"deployment.apps/web in demo ({ORIGIN}): no"
    )
    assert failure("deployment.apps/web in demo-2 is there").endswith(
        f"({ORIGIN}): deployment.apps/web in demo-2 is there"
    )


def test_what_has_no_manifest_any_more_is_named_alone() -> None:
    assert failure("no", origin="") == "deployment.apps/web in demo: no"


def test_what_did_not_fail_says_nothing() -> None:
    assert Change(KEY, Action.CREATED).failure == ""
