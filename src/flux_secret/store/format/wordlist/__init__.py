"""The EFF's large wordlist, as it is published: nothing → 7,776 words.

By the Electronic Frontier Foundation, 2016, under Creative Commons Attribution 3.0 United States
(docs/adr/0013). gopass makes its passwords of words from the same list.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def words() -> tuple[str, ...]:
    """Give the words; each line of the file has five dice and a word."""
    text = files(__name__).joinpath("eff_large_wordlist.txt").read_text(encoding="ascii")
    return tuple(line.split("\t")[1] for line in text.splitlines())
