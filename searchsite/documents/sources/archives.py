"""ZIP archives, which are read in the worker's own process: bounded before anything in them is believed.

An archive's directory says how large each file is, and may lie. So nothing is unpacked before the directory's claims
are within the limits, and no file is ever unpacked beyond its own claim.
"""

from __future__ import annotations

import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings

from searchsite.documents import uploads
from searchsite.documents.extract import charsets, safe_name
from searchsite.documents.extract.kinds import KIND_OF_EXTENSION, readable
from searchsite.documents.extract.zipped import BROKEN_ZIP, METHODS, PIECE
from searchsite.documents.problems import Problem, megabytes
from searchsite.documents.sources import LONGEST_PATH, Found, as_path, as_source

# What the directory may have for each file that is allowed, on average: name, extra fields, comment.
DIRECTORY_PER_FILE = 512  # bytes
LEAST_DIRECTORY_LIMIT = 2**20  # bytes
LONGEST_EXTRA = 2**13  # bytes; zipfile's time for one grows with its square
MOST_OTHERS = 2  # folders and a Mac's notes, for each file that is allowed
HEADER = struct.Struct("<4s24xHHH12x")  # of a file in the directory: signature; lengths of name, extra, comment
SIGNATURE = b"PK\x01\x02"
HIGHEST_RATIO = 200
RATIO_COUNTS_FROM = 10 * 2**20  # bytes unpacked; a small log packs as well as a bomb

UTF_8 = 0x800  # flags of a file in the archive
ENCRYPTED = 0x1 | 0x40 | 0x2000
UNICODE_PATH = 0x7075  # the extra field in which Info-ZIP keeps a name in UTF-8
EXTRA_FIELD = struct.Struct("<HH")
DOS = "cp437"
DRIVE = re.compile("[A-Za-z]:")
OF_A_SYSTEM = frozenset(["__macosx", "thumbs.db", "desktop.ini"])
WITHIN = (
    *(".zip", ".7z", ".rar", ".cab", ".jar", ".war", ".iso", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst"),
    *(".gz", ".bz2", ".xz", ".lz", ".lzma", ".zst"),
)
IN_MEMORY = 2**20  # bytes of an unpacked file; a larger one is written to a temporary file
ROOM_FOR_NUMBER = 12  # characters


@dataclass(frozen=True)
class Archive:
    """An open archive whose claims are within the limits.

    files: (entry, its name with "/" between its parts), without folders and hidden files.
    """

    zip: zipfile.ZipFile
    files: list[tuple[zipfile.ZipInfo, str]]


@contextmanager
def open_archive(handle: IO[bytes], size: int) -> Iterator[Archive]:
    """Open an archive of `size` bytes; it is open within the `with` block, and the handle stays open.

    Raises Problem: "archive_damaged", "archive_too_many", "archive_too_large", "archive_expands", "archive_empty".
    """
    guarded = Guarded(handle, size)
    try:
        opened = zipfile.ZipFile(guarded)
    except BROKEN_ZIP as error:
        raise _damaged(error) from error
    guarded.opening = False
    with opened:
        listed = opened.infolist()
        check_claims(listed, size)
        named = zip(listed, names_of(listed), strict=True)
        files = [(entry, name) for entry, name in named if not _is_left_out(entry, name)]
        if not files:
            raise Problem("archive_empty")
        yield Archive(opened, files)


def entries(archive: Archive, base_source: str, base_path: str) -> Iterator[Found]:
    """The files of an archive in its order, nothing of them unpacked yet. Each has a source and a path of its own.

    Of two with the same name the second is numbered, so that nothing is lost; what is refused has its problem.
    `open` unpacks the file whole, checks it, and gives a temporary file, or raises Problem("archive_damaged").
    """
    own_source, own_path = _numbering(), _numbering()
    for entry, name in archive.files:
        source = own_source(as_source(f"{base_source}!/{name}"))
        path = own_path(as_path(f"{base_path}/{name}"))
        shown, problem = as_path(name.rpartition("/")[2]), None
        try:
            check_entry(entry, name)
            shown = safe_name(name)
        except Problem as raised:
            problem = raised
        unpack = None if problem else partial(_unpacked, archive.zip, entry)
        yield Found(source, shown, path, entry.file_size, unpack, problem=problem)


class Guarded:
    """An archive's file as zipfile may see it: nothing outside of it, and no directory beyond the limits.

    zipfile reads a directory at once, however large, and makes an object of each entry in it.
    """

    def __init__(self, handle: IO[bytes], size: int) -> None:
        self.handle = handle
        self.size = size
        self.position = 0
        self.opening = True  # the directory is still to be read

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        target = offset + (0, self.position, self.size)[whence]
        if not 0 <= target <= self.size:
            raise OSError("outside of the archive")
        self.position = target
        return target

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. While opening, raises Problem: "archive_too_many", "archive_damaged"."""
        left = self.size - self.position
        size = left if size < 0 else min(size, left)
        most: int = settings.SEARCHSITE_MAX_ARCHIVE_FILES
        if self.opening and size > max(LEAST_DIRECTORY_LIMIT, DIRECTORY_PER_FILE * most):
            raise Problem("archive_too_many", limit=most)
        self.handle.seek(self.position)
        data = self.handle.read(size)
        self.position += len(data)
        if self.opening and data.startswith(SIGNATURE):
            check_directory(data, most)
        return data


def check_directory(data: bytes, most: int) -> None:
    """Count what the directory names, before there are objects of it.

    Raises Problem: "archive_too_many", "archive_damaged".
    """
    position = files = others = 0
    while position + HEADER.size <= len(data):
        signature, name, extra, comment = HEADER.unpack_from(data, position)
        if signature != SIGNATURE:
            return  # the directory ends before the data, or zipfile finds it broken
        if extra > LONGEST_EXTRA:
            raise Problem("archive_damaged")
        position += HEADER.size + name
        is_file = data[position - 1 : position] != b"/" and not data.startswith(b"__MACOSX/", position - name)
        files += is_file
        others += not is_file
        if files > most or others > MOST_OTHERS * most:
            raise Problem("archive_too_many", limit=most)
        position += extra + comment


def check_claims(listed: list[zipfile.ZipInfo], size: int) -> None:
    """Hold what the files claim in all against the archive's size in bytes.

    Raises Problem: "archive_expands", "archive_too_large", "archive_damaged" where files share the same packed bytes.
    """
    unpacked = sum(entry.file_size for entry in listed)
    if unpacked > max(RATIO_COUNTS_FROM, HIGHEST_RATIO * size):
        raise Problem("archive_expands", ratio=unpacked // max(size, 1))
    limit = settings.SEARCHSITE_MAX_ARCHIVE_MB
    if unpacked > limit * 2**20:
        raise Problem("archive_too_large", size=megabytes(unpacked), limit=limit)
    # Each would cost the time to unpack them all, even if little comes out.
    if sum(entry.compress_size for entry in listed) > size:
        raise Problem("archive_damaged")


def check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    """Raises Problem for a file of an archive that is not to be unpacked."""
    if is_unsafe(name):
        raise Problem("unsafe_path")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        raise Problem("unsafe_link")
    extension = PurePosixPath(name).suffix.lower()
    if extension in WITHIN:
        raise Problem("archive_within")
    if entry.flag_bits & ENCRYPTED:
        raise Problem("archive_password")
    if extension not in KIND_OF_EXTENSION:
        raise Problem("unsupported_kind", kinds=readable())
    uploads.check_size(safe_name(name), entry.file_size)
    if entry.compress_type not in METHODS:
        raise Problem("archive_damaged")


def is_unsafe(name: str) -> bool:
    """Whether a name leads out of where it would be unpacked, on whatever system."""
    parts = [part.strip() for part in name.split("/")]
    return name.startswith("/") or DRIVE.match(name) is not None or ".." in parts or "\0" in name


def names_of(listed: list[zipfile.ZipInfo]) -> list[str]:
    """The entries' names, with "/" for the "\\" of some Windows programs.

    A name without the flag for UTF-8 is in whatever its system used. They are all in the same, and more of them can be
    told better than one.
    """
    raw = {n: entry.orig_filename.encode(DOS) for n, entry in enumerate(listed) if not entry.flag_bits & UTF_8}
    encoding = _encoding(b"\n".join(name for name in raw.values() if not name.isascii()))
    names = []
    for n, entry in enumerate(listed):
        name = entry.orig_filename
        if n in raw:
            name = _unicode_path(entry.extra, raw[n]) or raw[n].decode(encoding, "replace")
        names.append(name.replace("\\", "/"))
    return names


def _encoding(names: bytes) -> str:
    try:
        names.decode()
    except UnicodeDecodeError:
        guessed = charsets.guess(names)
        return guessed if guessed and not guessed.startswith("utf") else DOS
    return "utf-8"


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in UTF-8 that Info-ZIP kept beside the raw one; "" where there is none, or it is of another name."""
    position = 0
    while position + EXTRA_FIELD.size <= len(extra):
        kind, length = EXTRA_FIELD.unpack_from(extra, position)
        position += EXTRA_FIELD.size
        field = extra[position : position + length]
        position += length
        if kind == UNICODE_PATH and field[:5] == b"\x01" + zlib.crc32(raw).to_bytes(4, "little"):
            return field[5:].decode("utf-8", "replace")
    return ""


def _is_left_out(entry: zipfile.ZipInfo, name: str) -> bool:
    """Whether it is a folder, or hidden, or what a system keeps for itself."""
    if name.endswith("/") or stat.S_ISDIR(entry.external_attr >> 16):
        return True
    parts = [part for part in name.split("/") if part != "."]
    return not is_unsafe(name) and any(part.startswith(".") or part.lower() in OF_A_SYSTEM for part in parts)


def _numbering() -> Callable[[str], str]:
    """What gives a text itself, or with the first number that makes it another than those it gave before."""
    given: set[str] = set()
    last: dict[str, int] = {}  # number, by what stands before it: long texts that begin alike share their numbers

    def numbered(text: str) -> str:
        beginning, own = text[: LONGEST_PATH - ROOM_FOR_NUMBER], text
        while own in given:
            last[beginning] = last.get(beginning, 1) + 1
            own = f"{beginning} ({last[beginning]})"
        given.add(own)
        return own

    return numbered


def _unpacked(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """A temporary file with the whole of an entry, never more than it claims. Raises Problem("archive_damaged")."""
    unpacked = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 the caller closes it
    try:
        with opened.open(entry) as part:
            # Not read at once: zipfile would unpack all there is, and cut it to the declared size only then.
            while piece := part.read(PIECE):
                unpacked.write(piece)
        if unpacked.tell() != entry.file_size:
            raise zipfile.BadZipFile
    except BROKEN_ZIP as error:
        unpacked.close()
        raise _damaged(error) from error
    unpacked.seek(0)
    return unpacked


def _damaged(error: Exception) -> BaseException:
    """What to raise for an error of zipfile: the disk's own errors, some of which it wraps, are none of the archive."""
    causes = (error, error.__context__)
    return next((one for one in causes if isinstance(one, OSError) and one.errno), Problem("archive_damaged"))
