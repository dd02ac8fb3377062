"""The file of secrets: several at once, read again when it changes, none while it is unusable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flux_secret.api.webhook.secrets import MAX_FILE, MAX_SECRETS, Secrets, read_secrets
from flux_secret.errors import ConfigurationError
from flux_secret.model.plaintext import Plaintext

OLD, NEW = b"the old secret of the hook", b"the new secret of the hook"


def test_each_line_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(b"\n" + OLD + b"  \r\n\n\t" + NEW)
    assert read_secrets(file) == (Plaintext(OLD), Plaintext(NEW))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no webhook secret"),
        (b" \n\n", "no webhook secret"),
        (b"fifteen bytes..", "webhook secret 1 .* fewer than 16 bytes"),
        (OLD + b"\nshort\n", "webhook secret 2 .* fewer than 16 bytes"),
        (b"\n".join([OLD] * (MAX_SECRETS + 1)), "more than 16"),
        (b"x" * (MAX_FILE + 1), "more than 16"),
    ],
)
def test_an_unusable_file_is_refused_and_nothing_of_it_is_quoted(
    tmp_path: Path, data: bytes, why: str
) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(data)
    with pytest.raises(ConfigurationError, match=why) as caught:
        read_secrets(file)
    assert "short" not in caught.value.what.replace("shorter", "")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Secrets(tmp_path / "secrets")


def test_a_rotation_is_seen_also_where_kubernetes_swaps_links(tmp_path: Path) -> None:
    for name, value in (("1", OLD), ("2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secrets").write_bytes(value)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "secrets").symlink_to("..data/secrets")
    secrets = Secrets(tmp_path / "secrets")
    assert secrets.valid() == (Plaintext(OLD),)
    (tmp_path / "..data_tmp").symlink_to("2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert secrets.valid() == (Plaintext(NEW),)


def test_while_the_file_is_unusable_nothing_is_accepted_and_it_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(OLD)
    secrets = Secrets(file)
    with capture_logs() as logs:
        file.write_bytes(b"")
        assert secrets.valid() == secrets.valid() == ()
        file.unlink()
        assert secrets.valid() == secrets.valid() == ()
        file.write_bytes(NEW)
        assert secrets.valid() == (Plaintext(NEW),)
    assert [one["event"] for one in logs] == [
        "secrets.unusable", "secrets.unusable", "secrets.changed",
    ]  # fmt: skip
    assert os.fsdecode(NEW) not in str(logs)
