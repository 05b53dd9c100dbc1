"""A file's text as chunks: along its syntax tree where there is a grammar, by lines elsewhere.

    languages    which language a path is of
    decoding     bytes as lines of text, or the reason why they are none
    refusal      content that is not worth an index: generated, minified, secret
    grammar      parsers, with a bound on the work of a hostile file
    definitions  what each language calls a function, a class, and its name
    outline      a syntax tree as cuts between its definitions
    long_lines   lines that are too long for a chunk, by their beginning
    headings     the same for prose with headings
    partition    cuts as chunks: small ones merged, large ones split, no line lost
    cut          all of it

The grammars come with their wheel; nothing is downloaded, ever.
"""

from __future__ import annotations

from localfirst.code_index.chunking.cut import CutFile, cut

__all__ = ["CutFile", "cut"]
