"""What a real API server, its policies and webhooks refuse: where it is written, and no value."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

import pytest

from flux_secret.model.shown import encodings
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.repositories import Executable
from simulators.tls import LOOPBACK, tls_server
from simulators.world import Done, World

VALUE = 'hunter2 "Correct" horse/battery+staple'
RAW, GENERATED = "raw", "generated"
SECONDS = 30.0
ADMISSION = "admissionregistration.k8s.io/v1"


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def place(world: World) -> World:
    """A namespace that is there already, so that policies can be tried before a delivery."""
    assert world.kubectl("create", "namespace", world.namespace).code == 0
    return world


def secret(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any YAML
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **more}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def stream(*objects: dict[str, Any]) -> str:
    """Give them as documents of three lines each, so that document N begins at line 3 N - 1."""
    return "".join(f"---\n{json.dumps(one)}\n# the next\n" for one in objects)


def deliver(world: World, *flags: str, path: str = RAW) -> Done:
    return world.deliver(f"--k8s-default-namespace={world.namespace}", *flags, path=path)


def must_not_show(done: Done, value: str = VALUE) -> None:
    told = done.out + done.err
    for form in encodings(value.encode()):
        text = form.decode()
        for shown in (text, text[:10], text[5:15], text[-10:]):
            assert shown not in told, told


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS} s"


@contextmanager
def made(world: World, *objects: dict[str, Any]) -> Iterator[None]:
    """Make objects without a namespace for the length of a test."""
    bodies = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    done = world.kubectl("create", "-f", "-", stdin=bodies)
    assert done.code == 0, done.err
    try:
        yield
    finally:
        world.kubectl("delete", "-f", "-", stdin=bodies)


def selector(world: World) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}


def is_refused(world: World, body: dict[str, Any]) -> bool:
    words = ("create", "--dry-run=server", "-n", world.namespace, "-f", "-")
    return world.kubectl(*words, stdin=json.dumps(body)).code != 0


def test_each_object_is_named_with_its_file_document_and_line(place: World) -> None:
    objects = stream(
        config_map("first", a="b"),
        secret("labelled", stringData={"k": VALUE},
               metadata={"name": "labelled", "labels": {"a": VALUE}}),
        secret("keyed", stringData={"k y": VALUE}),
        secret("typed", stringData={"k": VALUE}, immutable=VALUE),
        secret("unknown", stringData={"k": VALUE}, stringdata={"k": VALUE}),
        secret("docker", stringData={".dockerconfigjson": VALUE},
               type="kubernetes.io/dockerconfigjson"),
        secret("tls", stringData={"tls.crt": VALUE}, type="kubernetes.io/tls"),
        secret("large", stringData={"k": VALUE * 30_000}),
        config_map("last", a="b"),
    )  # fmt: skip
    healthy = "healthy/one.yaml"
    place.ops.commit({f"{RAW}/many.yaml": objects, healthy: stream(config_map("other", a="b"))})
    done = deliver(place, "--git-path=healthy")
    assert done.code == 7, done.err
    must_not_show(done)
    for number, name, words in (
        (2, "labelled", "metadata.labels: FieldValueInvalid"),
        (3, "keyed", "data[k y]: FieldValueInvalid"),
        (4, "typed", "immutable: expected boolean"),
        (5, "unknown", "field not declared in schema"),
        (6, "docker", "data[.dockerconfigjson]: FieldValueInvalid"),
        (7, "tls", "data[tls.key]: FieldValueRequired"),
        (8, "large", "data: FieldValueTooLong"),
    ):
        where = f"({RAW}/many.yaml, document {number}, line {3 * number - 1})"
        (line,) = [one for one in done.err.splitlines() if f"secret/{name} in" in one]
        assert f"secret/{name} in {place.namespace} {where}: " in line
        assert words in line
    for name in ("first", "last", "other"):
        assert f"configmap/{name} created" in done.out


def test_what_a_generator_printed_is_named_by_its_command(place: World) -> None:
    printed = stream(config_map("first", a="b"), secret("s", stringData={"k y": VALUE}))
    place.ops.commit(
        {
            f"{GENERATED}/.flux.yaml": "version: 1\ncommandUpdated:\n  generators:\n"
            "  - command: ./print.sh\n",
            f"{GENERATED}/print.sh": Executable(f"#!/bin/sh\ncat <<'E'\n{printed}E\n"),
        }
    )
    done = deliver(place, path=GENERATED)
    assert done.code == 7, done.err
    where = f"({GENERATED}/.flux.yaml: ./print.sh, document 2, line 5)"
    assert f"secret/s in {place.namespace} {where}: " in done.err
    must_not_show(done)
    assert "configmap/first created" in done.out


def test_what_cannot_be_changed_is_refused_without_a_value(place: World) -> None:
    later = "hunter3 has another length"
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(secret("s", stringData={"k": VALUE}, immutable=True))}
    )
    assert deliver(place).code == 0
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(secret("s", stringData={"k": later}, immutable=True))}
    )
    done = deliver(place)
    assert done.code == 7
    assert f"({RAW}/s.yaml, document 1, line 2)" in done.err
    assert "data: FieldValueForbidden" in done.err
    must_not_show(done)
    must_not_show(done, later)


@pytest.mark.parametrize("field", ["data", "stringData"])
@pytest.mark.parametrize(
    "value", [{"k": ["hunter2hunter2"]}, {"k": {"hunter2hunter2": "x"}}, ["hunter2hunter2"]]
)
def test_values_of_another_type_refuse_the_target_before_anything_is_sent(
    place: World, field: str, value: object
) -> None:
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(config_map("c", a="b"), secret("s", **{field: value}))}
    )
    done = deliver(place)
    assert done.code == 3
    assert f"{RAW}/s.yaml, document 2, line 5" in done.err
    assert place.get("configmap", "c") is None
    must_not_show(done, "hunter2hunter2")


def test_what_is_no_base64_is_named_and_not_shown(place: World) -> None:
    place.ops.commit({f"{RAW}/s.yaml": stream(secret("s", data={"k": VALUE}))})
    done = deliver(place)
    assert done.code == 3
    assert "data.k, raw/s.yaml, document 1, line 2, is not base64" in done.err
    must_not_show(done)


def test_a_quota_is_named(place: World) -> None:
    quota = ("create", "quota", "few", "--hard=count/secrets=0", "-n", place.namespace)
    assert place.kubectl(*quota).code == 0
    until(lambda: is_refused(place, secret("probe")))
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(secret("s", stringData={"k": VALUE}), config_map("c", a="b"))}
    )
    done = deliver(place)
    assert done.code == 7
    assert "refused by the ResourceQuota few (Forbidden)" in done.err
    assert "configmap/c created" in done.out
    must_not_show(done)


@pytest.mark.parametrize(
    "echo",
    [
        "string(object.data.k)", "'it is ' + string(object.data.k).substring(0, 14)",
        "string(object.data.k).upperAscii()", "'\"' + string(object.data.k) + '\"'",
    ],
)  # fmt: skip
def test_a_policy_that_echoes_a_secret_is_named_and_not_quoted(place: World, echo: str) -> None:
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(secret("s", stringData={"k": VALUE}), config_map("c", a="b"))}
    )
    with policy(place, "secrets", "!has(object.data) || !('k' in object.data)", echo) as name:
        until(lambda: is_refused(place, secret("probe", data={"k": "eA=="})))
        done = deliver(place)
    assert done.code == 7
    assert f"refused by the ValidatingAdmissionPolicy {name} (Invalid)" in done.err
    assert f"({RAW}/s.yaml, document 1, line 2)" in done.err
    assert "configmap/c created" in done.out
    must_not_show(done)


def test_a_policy_that_quotes_a_secret_for_another_object_is_not_quoted(place: World) -> None:
    """Its parameter is the Secret itself, so its words about a ConfigMap hold the value."""
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(secret("s", stringData={"k": VALUE}), config_map("c", a="b"))}
    )
    assert deliver(place).code == 0
    assert place.kubectl("delete", "configmap", "c", "-n", place.namespace).code == 0
    secrets = {"apiVersion": "v1", "kind": "Secret"}
    ref = {"name": "s", "namespace": place.namespace, "parameterNotFoundAction": "Allow"}
    echo = "'it is not ' + string(params.data.k).substring(2, 16)"
    with policy(place, "configmaps", "false", echo, param=secrets, ref=ref) as name:
        until(lambda: is_refused(place, config_map("probe")))
        done = deliver(place)
    assert done.code == 7
    assert (
        f"refused by the ValidatingAdmissionPolicy {name} (Invalid): its words are not" in done.err
    )
    must_not_show(done)


@contextmanager
def policy(
    world: World, resource: str, expression: str, echo: str, *,
    param: dict[str, str] | None = None, ref: dict[str, str] | None = None,
) -> Iterator[str]:  # fmt: skip
    name = f"echo-{world.namespace}"
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": [resource],
    }  # fmt: skip
    validation = {"expression": expression, "messageExpression": echo}
    spec: dict[str, Any] = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector(world)},
        "validations": [validation],
        **({"paramKind": param} if param else {}),
    }
    binding: dict[str, Any] = {
        "policyName": name, "validationActions": ["Deny"], **({"paramRef": ref} if ref else {}),
    }  # fmt: skip
    with made(
        world,
        {"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicy",
         "metadata": {"name": name}, "spec": spec},
        {"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicyBinding",
         "metadata": {"name": name}, "spec": binding},
    ):  # fmt: skip
        yield name


@pytest.mark.usefixtures("our_control_plane")  # an API server elsewhere does not reach loopback
@pytest.mark.parametrize("code", [400, 401, 404, 409, 503])
def test_a_webhook_that_echoes_a_secret_in_every_form_refuses_one_object_and_says_nothing(
    place: World, tmp_path: Path, code: int
) -> None:
    place.ops.commit(
        {f"{RAW}/s.yaml": stream(secret("s", stringData={"k": VALUE}), config_map("c", a="b"))}
    )
    name = f"echo.{place.namespace}.example.org"
    with tls_server(tmp_path / "hook", _echoing(code)) as server:
        rule = {
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
            "resources": ["secrets"],
        }  # fmt: skip
        hook = {
            "name": name, "rules": [rule], "sideEffects": "None", "failurePolicy": "Fail",
            "admissionReviewVersions": ["v1"], "namespaceSelector": selector(place),
            "clientConfig": {
                "url": f"https://{LOOPBACK}:{server.port}/",
                "caBundle": base64.b64encode(server.ca_file.read_bytes()).decode(),
            },
        }  # fmt: skip
        configuration = {
            "apiVersion": ADMISSION, "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name}, "webhooks": [hook],
        }  # fmt: skip
        with made(place, configuration):
            until(lambda: is_refused(place, secret("probe", data={"k": "eA=="})))
            done = deliver(place)
    assert done.code == 7, done.err
    assert f"refused by the admission webhook {name} " in done.err
    assert f"({RAW}/s.yaml, document 1, line 2)" in done.err
    assert "configmap/c created" in done.out
    must_not_show(done)


def _echoing(code: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            value = base64.b64decode(review["request"]["object"]["data"]["k"])
            said = " ".join(form.decode() for form in encodings(value))
            causes = [
                {"reason": form.decode(), "field": form.decode(), "message": form.decode()}
                for form in encodings(value)
            ]
            status = {
                "code": code, "reason": value.decode(), "message": said,
                "details": {"name": value.decode(), "kind": "namespaces", "causes": causes},
            }  # fmt: skip
            response = {"uid": review["request"]["uid"], "allowed": False, "status": status}
            body = json.dumps({**review, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
