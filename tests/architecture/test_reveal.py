"""Plaintext leaves its wrapper only where this list says so, each time for the reason given."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

# (file, function) → how many times, and why
ALLOWED = {
    # store: decrypted bytes are parsed
    ("store/reader.py", "PinnedStores._document"): (1, "parsed into a document"),
    ("store/reader.py", "PinnedStores._decrypt"): (1, "only its size is looked at"),
    # generate: a script's question is answered, its output parsed, its messages masked
    ("generate/answering.py", "GopassAnswers._read"): (1, "becomes the answer, wrapped again"),
    ("generate/generator.py", "_Run._manifests"): (1, "a command's output is parsed"),
    ("generate/patching.py", "patched"): (1, "what kustomize printed is parsed"),
    ("generate/patching.py", "_Merging._shown"): (1, "a placeholder gives way to its value"),
    ("generate/sops.py", "SopsFiles.opened"): (1, "what sops decrypted is parsed"),
    ("generate/masking.py", "masked"): (1, "a value that a message quotes is replaced"),
    # resolve: values are decoded, and looked for where they may not stand
    ("resolve/secret.py", "SecretFolder._value"): (1, "a reference is recognised"),
    ("resolve/secret.py", "SecretFolder._read"): (1, "base64 is decoded"),
    ("resolve/secret.py", "SecretFolder._is_from_a_script"): (1, "references in values"),
    ("resolve/secret.py", "SecretFolder.foresee"): (1, "a reference is recognised"),
    ("resolve/leak.py", "needles"): (1, "looked for outside Secrets, and in them"),
    ("resolve/holding.py", "_texts"): (1, "values of scripts are looked for in it"),
    # apply: values become a request's body; our own HMAC key is made, kept and used
    ("apply/payload.py", "to_bytes"): (1, "base64 in a body, wrapped again"),
    ("apply/unsaid.py", "_forms"): (1, "looked for in the API server's words"),
    ("apply/write.py", "_applied"): (1, "the body is sent"),
    ("apply/trying.py", "_refusal"): (1, "the body is sent, and nothing of it is kept"),
    ("apply/digest.py", "DigestKey.__init__"): (1, "only its size is looked at"),
    ("apply/digest.py", "DigestKey.digest"): (2, "key and value enter an HMAC"),
    ("apply/state.py", "digest_key"): (1, "the Secret with our key is sent"),
    ("apply/state.py", "_body"): (1, "our key becomes base64, wrapped again"),
    ("model/flux_v1.py", "safe_url"): (1, "the user of a URL, without its password, is hashed"),
    # api: a webhook's secret enters an HMAC, or is compared
    ("api/webhook/signature.py", "_is_right"): (
        1,
        "enters an HMAC, or is compared in constant time",
    ),
    # store: a person's entries are encrypted, and shown to them
    ("store/crypto/encrypt.py", "_in_process"): (1, "is encrypted"),
    ("store/crypto/age.py", "sealed"): (1, "is encrypted"),
    ("store/crypto/ageidentities.py", "unlock"): (1, "a passphrase opens a file of identities"),
    ("store/crypto/ageidentities.py", "new_identity"): (1, "a passphrase locks a new identity"),
    ("store/crypto/ageperson.py", "PersonsAge._unlock"): (1, "unlocked identities are parsed"),
    ("outside/keyring.py", "Keyring.encrypt"): (1, "gpg encrypts it, from its standard input"),
    ("store/working/merging.py", "_merged"): (1, "three sides become one"),
    ("store/working/editing.py", "save"): (3, "what others changed meanwhile is merged in"),
    ("outside/editor.py", "edit"): (1, "a person edits it, in memory"),
    ("cli/owners/edit.py", "_edit"): (1, "who answers is no secret"),
    ("cli/operator/steps.py", "public"): (1, "a public key"),
    ("cli/operator/succeeding.py", "keys_of"): (1, "a public key"),
    ("store/working/operator.py", "both"): (2, "two keys become one entry"),
    ("store/working/operator.py", "newer"): (2, "and one again"),
    ("wiring/rekeying.py", "AgentKeys._apply"): (1, "the body is sent"),
    ("cli/store/terminal.py", "shown"): (1, "for a pipe, or a person who asked to see it"),
    ("cli/store/insert.py", "_insert"): (1, "one key of it is set"),
    ("cli/store/insert.py", "_text"): (1, "becomes a part of the entry"),
    ("cli/store/generate.py", "_generate"): (1, "one key of it is set"),
    ("cli/store/otp.py", "_otp"): (1, "holds the secret of a one-time password"),
    ("cli/store/otp.py", "_raised"): (1, "the same, with a counter"),
    ("cli/store/grep.py", "_found"): (1, "its lines are searched"),
    ("cli/store/history.py", "_passwords"): (1, "parsed into a document"),
    ("cli/store/terminal.py", "print_value"): (1, "a person asked to see it"),
    ("cli/store/show.py", "_show"): (1, "parsed into a document"),
    ("store/working/parts.py", "Parts.of"): (1, "digested, to be compared with old values"),
    # install: an agent's keys are looked into, and printed for a pipe
    ("install/keys.py", "checked"): (2, "an ssh key is checked and mended, wrapped again"),
    ("install/keys.py", "_read"): (1, "only its armor is looked for"),
    ("install/printing.py", "_whole"): (1, "base64 in a manifest, wrapped again"),
    ("cli/install.py", "_print"): (1, "a pipe gets what --with-secrets asks for"),
    ("wiring/installing.py", "_Entries.unpacked"): (1, "parsed into a document"),
    ("store/crypto/public.py", "public_halves"): (1, "the public half is taken from it"),
    ("outside/git/identity.py", "ssh_public"): (1, "ssh-keygen reads it from a pipe"),
    # doors: what a peer must be told
    ("outside/files.py", "place_inside"): (
        1,
        "a revealed file is put into the checkout, in memory",
    ),
    ("outside/callchannel.py", "CallChannel._asked"): (1, "a script gets its answer"),
    ("outside/kubernetes/transport.py", "Transport._arguments"): (1, "a token becomes a header"),
    ("outside/kubernetes/tls.py", "_load"): (1, "a client key enters an SSL context"),
    ("outside/git/command.py", "Git._settings"): (1, "git is told the user of a URL"),
    ("outside/git/command.py", "Git._credentials"): (2, "git is told a URL's password, in memory"),
    ("outside/git/failure.py", "shown"): (1, "credentials that git quotes are masked"),
}


def sites(tree: ast.AST, scope: str = "", name: str = "reveal") -> Iterator[str]:
    """Give the function around each `.reveal`, called or only named (`Plaintext.reveal`)."""
    for node in ast.iter_child_nodes(tree):
        inner = scope
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{scope}.{node.name}" if scope else node.name
        if isinstance(node, ast.Attribute) and node.attr == name:
            yield scope
        yield from sites(node, inner, name)


# a person's stores decrypt in one place: the one that has it on their record before
DECRYPTING = {
    ("store/working/store.py", "WorkingStore.open_all"): "it is on the record by then",
    ("store/crypto/gnupg.py", "GnuPgCrypto.decrypt_all"): "that place's own way to gpg",
}


def found(modules: Mapping[str, ast.Module]) -> Counter[tuple[str, str]]:
    return Counter(
        (file.removeprefix("flux_secret/"), site)
        for file, tree in modules.items()
        for site in sites(tree)
    )


def test_reveal_is_called_only_where_the_list_says_and_why(
    modules: Mapping[str, ast.Module],
) -> None:
    assert dict(found(modules)) == {site: times for site, (times, _why) in ALLOWED.items()}


def test_nothing_is_decrypted_for_a_person_beside_their_record(
    modules: Mapping[str, ast.Module],
) -> None:
    asked = {
        (file.removeprefix("flux_secret/"), site)
        for file, tree in modules.items()
        for site in sites(tree, name="decrypt_all")
    }
    assert asked == DECRYPTING.keys()


def test_nobody_reaches_past_reveal(modules: Mapping[str, ast.Module]) -> None:
    """Neither the mangled name nor the name as text gives the bytes away."""
    behind = [
        f"{file}:{node.lineno}"
        for file, tree in modules.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == "_Plaintext__value")
        or (isinstance(node, ast.Constant) and node.value in {"reveal", "_Plaintext__value"})
    ]
    assert behind == []


@pytest.mark.parametrize(
    "code",
    [
        "def f(x): return x.reveal()",
        "async def f(x): return list(map(Plaintext.reveal, x))",
        "def f(x):\n  g = x.reveal\n  return g()",
    ],
)
def test_every_way_of_asking_is_seen(code: str) -> None:
    assert list(sites(ast.parse(code))) == ["f"]
