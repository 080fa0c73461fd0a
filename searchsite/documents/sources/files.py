"""Files and folders of the machine that a command runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from searchsite.documents import uploads
from searchsite.documents.extract import safe_name
from searchsite.documents.extract.kinds import KIND_OF_EXTENSION
from searchsite.documents.problems import Problem
from searchsite.documents.sources import Found, as_path, as_source

ARCHIVE = ".zip"


@dataclass(frozen=True)
class Unlistable:
    """A folder that cannot be listed, or a file that cannot be looked at: what lies there is not known.

    reason: the operating system's words for why.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, sorted by path; iterating over it gives what is found.

    unlistable: while there are any, nothing may be taken for deleted because it is not among what is found.
    archives: ZIP archives, which are left out.
    others: how many files are of kinds that nothing here reads.
    """

    found: tuple[Found, ...]
    unlistable: tuple[Unlistable, ...]
    archives: tuple[Path, ...]
    others: int = 0

    def __iter__(self) -> Iterator[Found]:
        return iter(self.found)


def file(path: Path) -> Found:
    """The file of that name, of whatever kind; a link is followed. Raises OSError when it cannot be looked at."""
    whole = Path(os.path.abspath(path))
    return _found(whole, path.name, os.stat(whole).st_size)


def files_in(folder: Path) -> Listing:
    """The files of readable kinds in a folder and the folders below it.

    Left out: hidden ones, links (so that there are no loops), kinds that nothing here reads, archives.
    """
    root = Path(os.path.abspath(folder))
    found, unlistable, archives, others = [], [], [], 0
    stack = [(root, True)]
    while stack:
        path, is_folder = stack.pop()
        try:
            if is_folder:
                stack += _listed(path)
            elif path.suffix.lower() == ARCHIVE:
                archives.append(path)
            elif path.suffix.lower() in KIND_OF_EXTENSION:
                found.append(_found(path, str(path.relative_to(root.parent)), os.lstat(path).st_size))
            else:
                others += 1
        except OSError as error:
            unlistable.append(Unlistable(as_path(str(path)), error.strerror or ""))
    return Listing(tuple(found), tuple(unlistable), tuple(archives), others)


def _listed(folder: Path) -> list[tuple[Path, bool]]:
    """(path, whether it is a folder) of what is not hidden, no link and no device; the first by name comes last."""
    with os.scandir(folder) as listed:
        entries = [
            (Path(entry.path), entry.is_dir(follow_symlinks=False))
            for entry in listed
            if not entry.name.startswith(".")
            and (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False))
        ]
    return sorted(entries, reverse=True)


def _found(path: Path, shown: str, size: int) -> Found:
    """A file at an absolute path. Where its name or size will not do, with the problem."""
    name, problem = path.name, None
    try:
        name = safe_name(path.name)
        uploads.check_size(name, size)
    except Problem as raised:
        name, problem = as_path(name), raised
    opener = None if problem else partial(_opened, path)
    return Found(as_source(str(path)), name, as_path(shown), size, opener, problem=problem)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")
