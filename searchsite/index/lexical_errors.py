"""What can be wrong with the lexical index. Loads no tantivy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LexicalError(Exception):
    """The index in a folder is missing, damaged or of another format. The message is a sentence."""


class LexicalBusy(Exception):
    """Another process is writing to the folder."""


@contextmanager
def as_lexical_error(folder: Path) -> Iterator[None]:
    """Turn whatever tantivy raises over the index in that folder into a LexicalError."""
    try:
        yield
    except BaseException as error:
        # ValueError: whatever tantivy raises. PanicException, which is no Exception: what damaged bytes do to it.
        if isinstance(error, OSError | ValueError | KeyError | TypeError) or type(error).__name__ == "PanicException":
            raise LexicalError(
                f"The lexical index in {folder.name} cannot be read ({error}): it must be made anew."
            ) from error
        raise
