"""Texts behind the first document of a YAML entry, as the real gopass 1.16 takes them.

`system/test_store_format.py` asks gopass; `unit/store/format/test_document.py` asks us.
"""

from __future__ import annotations

from typing import Final

HEAD: Final = b"pw\n---\na: b\n"
STAYS_YAML: Final = [
    HEAD + b"---\nc: d\n\t@",
    HEAD + b"---\n- x\n\t@",
    HEAD + b"---\n[a, @",
    HEAD + b"---\n[a, b, @",
    HEAD + b"---\nx y\n@",
    HEAD + b"--- c\n@",
    HEAD + b"---\n- 'x",
    HEAD + b"---\n- - 'x",
    HEAD + b"---\n---\n---\n@",
    HEAD + b"---\n---\n---\n---\n@",
    HEAD + b"---\n{a: @",
    HEAD + b"---\n? @",
    HEAD + b"---\n&a b\n@",
    HEAD + b"...\nq\n@",
    HEAD + b"--- |\n x\n  y\n---\n@",
    HEAD + b"---\nc: @",
    HEAD + b"---\nc:\n  @",
    HEAD + b"---\n[\n[\n@",
    HEAD + b"---\n[]\n@",
    HEAD + b"---\n[[ @",
    HEAD + b"---\n[ a @",
    HEAD + b"---\n'c': @",
]
"""What does not fit lies behind the two tokens that yaml.v3 reads ahead."""
IS_NONE: Final = [
    HEAD + b"---\n\t",
    HEAD + b"---\n@x",
    HEAD + b"...\n\t",
    HEAD + b"...\n@",
    HEAD + b"...\n---\n@",
    HEAD + b"---\n'x",
    HEAD + b"---\n---\n@",
    HEAD + b"---\n# c\n@",
    HEAD + b"---\n&a @",
    HEAD + b"---\n%x",
    HEAD + b"...\n%x\n@",
    HEAD + b"--- |\n x\n@",
    HEAD + b"---\n[\n@",
    HEAD + b"---\n[ @",
]
"""It fails within them, so the whole entry is key-value."""
