"""What a supervised program may use and see, as words for `supervisor.py`.

Apart from the supervisor, which is started with every generator command and so imports nothing that
takes long to import, `typing` among it.
"""

from __future__ import annotations

from typing import NamedTuple


class Confinement(NamedTuple):
    """What a program and all that it starts may use together, and what it may see."""

    memory_bytes: int = 0
    """Private memory of all processes, and the files in `folders`; 0 for no bound."""
    processes: int = 0
    """How many at once; 0 for no bound."""
    open_files: int = 0
    """A process; 0 for no bound."""
    folders: tuple[str, ...] = ()
    """Memory-backed folders whose files count."""
    seccomp: bytes = b""
    """A filter for the program, or for the `{filter}` in its words."""
    landlock: bool = False
    """Whether this process's child confines itself to the three lists below."""
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Give it as words that the supervisor reads; none where nothing is bounded."""
        words = [
            f"{name}={value}"
            for name, value in (
                ("memory", self.memory_bytes),
                ("processes", self.processes),
                ("open-files", self.open_files),
                ("seccomp", self.seccomp.hex()),
                ("landlock", "1" if self.landlock else ""),
            )
            if value
        ]
        for name, paths in (
            ("folder", self.folders),
            ("readable", self.readable),
            ("writable", self.writable),
            ("device", self.devices),
        ):
            words += [f"{name}={path}" for path in paths]
        return words
