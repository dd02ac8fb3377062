"""What `bootstrap` made is what an agent needs: it delivers with these two keys and no other."""

from __future__ import annotations

from pathlib import Path

from simulators.desk import FOLDER, a_desk
from simulators.githosts import ssh_host
from simulators.world import World


def test_the_agent_delivers_with_the_keys_that_bootstrap_made(world: World, tmp_path: Path) -> None:
    with a_desk(tmp_path / "desk") as desk, ssh_host(tmp_path / "host") as host:
        desk.me.flux("store", "insert", "apps/demo", stdin=b"from apps\n")
        desk.bootstrap("--store", "apps", "--yes")
        keys = {}
        for name in ("gpg-private-key", "ssh-private-key", "ssh-public-key"):
            keys[name] = tmp_path / name
            keys[name].write_bytes(desk.me.flux("store", "show", f"team/{FOLDER}/{name}").out)
            keys[name].chmod(0o600)
        # the host lets in the deploy key, and no other
        Path(f"{host.key}.pub").write_bytes(keys["ssh-public-key"].read_bytes())
        flags = (
            "deliver", f"--git-url={host.url(world.ops.path)}", "--git-path=demo/overlay/dev",
            f"--store=apps={host.url(desk.apps.store)}", "--manifest-generation",
            f"--git-gpg-key-import={keys['gpg-private-key']}",
            f"--git-known-hosts={host.known_hosts(tmp_path / 'known_hosts')}",
            "--generator-env=APPLICATIONSTORE=apps", f"--namespace={world.namespace}-flux",
            f"--kubeconfig={world.kubeconfig}", f"--cache-dir={world.root / 'cache'}",
        )  # fmt: skip
        refused = world.run(*flags, f"--git-ssh-key={host.key}")
        assert refused.code != 0
        done = world.run(*flags, f"--git-ssh-key={keys['ssh-private-key']}")
        assert done.code == 0, done.err
        assert world.secret()[0] == b"from apps\n"
