"""ZIP archives, which are read in the worker's own process: bounded before anything of them is believed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from searchsite.documents.sources import Found


@dataclass(frozen=True)
class Archive:
    """An open archive whose size, number of files and ratio are within the limits."""

    zip: zipfile.ZipFile


@contextmanager
def open_archive(handle: IO[bytes], size: int) -> Iterator[Archive]:
    """Open an archive of `size` bytes; the handle stays open, and the archive open within the `with` block.

    Raises Problem: "archive_damaged", "archive_too_many", "archive_too_large", "archive_expands", "archive_empty".
    """
    raise NotImplementedError
    yield


def entries(archive: Archive, base_source: str, base_path: str) -> Iterator[Found]:
    """The files of an archive in its order, nothing of them unpacked yet."""
    raise NotImplementedError
