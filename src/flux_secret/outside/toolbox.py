"""PATH → a private folder of tools that stands first on it: our `gopass`, and a `kustomize`.

The real kustomize stays where it is installed; where there is none, kubectl's stands in
(design decision 3).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError
from flux_secret.outside.callchannel import calling_script, quoted
from flux_secret.outside.kubectl import find_kustomizing_kubectl

# Flux v1's image had kustomize 3, whose option had another name and other values.
_KUSTOMIZE: Final = """#!/bin/sh
# flux-secret's kustomize: the one that kubectl carries.
case ${{1-}} in
build) shift ;;
version) echo "kubectl's, by flux-secret"; exec {kubectl} version --client ;;
*)
  echo "kustomize ${{1-}}: kubectl's kustomize can only build; install kustomize for the rest" >&2
  exit 64 ;;
esac
left=$#
while [ "$left" -gt 0 ]; do
  word=$1 left=$((left - 1)); shift
  case $word in
  --load_restrictor) word=--load_restrictor=${{1-}} left=$((left - 1)); [ $# -eq 0 ] || shift ;;
  esac
  case $word in
  --load_restrictor=none) word=--load-restrictor=LoadRestrictionsNone ;;
  --load_restrictor=rootOnly) word=--load-restrictor=LoadRestrictionsRootOnly ;;
  --load_restrictor=*) word=--load-restrictor=${{word#*=}} ;;
  esac
  set -- "$@" "$word"
done
# it ends before collecting garbage pays: a tenth less work, for some MiB more
GOGC=${{GOGC:-400}} && export GOGC
exec {kubectl} kustomize "$@"
"""
_NO_KUSTOMIZE: Final = """#!/bin/sh
echo {reason} >&2
exit 127
"""
_SYSTEM_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"


async def furnish(folder: Path, path: str, calls: Path) -> None:
    """Write the tools into `folder`; `path` is where the commands find everything else."""
    tools = {"gopass": calling_script(calls, _system("mkfifo", path), _system("cat", path))}
    if shutil.which("kustomize", path=path) is None:
        tools["kustomize"] = await _kustomize(path)
    for name, text in tools.items():
        file = folder / name
        file.write_text(text)
        file.chmod(0o700)


async def _kustomize(path: str) -> str:
    try:
        kubectl = await find_kustomizing_kubectl(path)
    except ConfigurationError as error:  # said when a command calls it, not before
        return _NO_KUSTOMIZE.format(reason=quoted(f"kustomize: {error.what}: {error.remedy}"))
    return _KUSTOMIZE.format(kubectl=quoted(str(kubectl)))


def _system(program: str, path: str) -> str:
    """Give the full name of a program that every system has; each call saves the search."""
    return shutil.which(program, path=f"{_SYSTEM_PATH}{os.pathsep}{path}") or program
