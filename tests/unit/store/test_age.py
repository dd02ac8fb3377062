"""age: recipients, identities and messages, in memory."""

from __future__ import annotations

import pyrage
import pytest

from flux_secret.errors import DecryptError, KeyFileError, RecipientError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.age import AgeDecryptor, opened, sealed, usable
from flux_secret.store.crypto.ageidentities import identities, is_locked, new_identity, unlock
from flux_secret.store.crypto.agerecipients import AgeRecipient, AgeUnusable, parse, short, stanzas

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
KEY = pyrage.x25519.Identity.generate()
PUBLIC = str(KEY.to_public())


def test_a_message_says_for_how_many_it_is_and_stanzas_for_nobody_do_not_count() -> None:
    to = usable([PUBLIC, f"{ED25519} ann@example.org"], "db")
    for _ in range(20):  # rage adds a stanza for nobody to most, not to all
        message = sealed(Plaintext(b"pw\n"), to, "db")
        assert sorted(stanzas(message) or ()) == ["X25519", "ssh-ed25519"]


@pytest.mark.parametrize("data", [b"", b"x", b"age-encryption.org/v1", b"age-encryption.org/v1\n",
                                  b"-----BEGIN AGE ENCRYPTED FILE-----\n!\n"])  # fmt: skip
def test_what_is_no_age_message_is_damaged(data: bytes) -> None:
    answer = opened(data, identities(str(KEY).encode(), "file"))
    assert isinstance(answer, DecryptError)
    assert "damaged" in answer.what


def test_an_armored_message_is_read() -> None:
    message = pyrage.encrypt(b"pw\n", [KEY.to_public()], armored=True)
    answer = opened(message, identities(str(KEY).encode(), "file"))
    assert answer == Plaintext(b"pw\n")


def test_a_comment_behind_an_ssh_key_is_no_part_of_it() -> None:
    with_comment, bare = parse(f"{ED25519} ann"), parse(ED25519)
    assert isinstance(with_comment, AgeRecipient)
    assert isinstance(bare, AgeRecipient)
    assert with_comment.public == bare.public == ED25519


@pytest.mark.parametrize("one", ["age1yubikey1" + "q" * 40, "AGE-PLUGIN-X-1QQ", "", "x\x1b[2J"])
def test_what_cannot_be_encrypted_to_is_named_and_shows_nothing_strange(one: str) -> None:
    found = parse(one)
    assert isinstance(found, AgeUnusable)
    assert str(found).isprintable()
    with pytest.raises(RecipientError):
        usable([PUBLIC, one], "db")


def test_a_private_key_is_never_shown() -> None:
    assert str(KEY)[20:40] not in short(str(KEY))
    assert str(KEY)[20:40] not in str(parse(str(KEY)))


def test_identities_in_gopasss_form_and_with_comments_are_read() -> None:
    text = f"# mine\n{KEY}|{PUBLIC}\nAGE-PLUGIN-YUBIKEY-1QQ|age1yubikey1qq\nnonsense\n"
    found = identities(text.encode(), "file")
    assert found.publics == (PUBLIC,)
    assert found.unusable == ("file, line 3: plugins of age are never run",
                              "file, line 4: it is no age private key")  # fmt: skip


def test_a_new_identity_opens_with_its_passphrase_only() -> None:
    public, file = new_identity(Plaintext(b"pass"))
    assert is_locked(file)
    text = unlock(file, Plaintext(b"pass"), "file")
    assert identities(text.reveal(), "file").publics == (public,)
    with pytest.raises(KeyFileError, match="passphrase does not open"):
        unlock(file, Plaintext(b"Pass"), "file")


@pytest.mark.parametrize("work", [b"21", b"30", b"999999999999", b"-1", b"x"])
def test_a_file_that_wants_too_much_work_is_refused_at_once(work: bytes) -> None:
    file = b"age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA " + work + b"\nAA\n--- AA\n"
    with pytest.raises(KeyFileError, match="rounds of scrypt"):
        unlock(file, Plaintext(b"pass"), "file")


async def test_a_decryptor_names_its_recipient_when_a_message_is_for_others() -> None:
    other = pyrage.x25519.Identity.generate()
    decryptor = AgeDecryptor(identities(str(KEY).encode(), "file"))
    assert decryptor.key_ids == (PUBLIC,)
    with pytest.raises(DecryptError) as failure:
        await decryptor.decrypt(pyrage.encrypt(b"pw\n", [other.to_public()]))
    assert PUBLIC in failure.value.what
