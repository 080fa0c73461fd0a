"""ZIP archives built by hand, byte by byte, so that they can say what no program would write."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

UTF_8 = 0x800
SYMLINK = 0o120777
FIFO = 0o010644
FOLDER = 0o040755


@dataclass(frozen=True)
class Entry:
    """A file of an archive. claimed: the size that is written for it; checksum: in place of the right one;
    shared: it is said to lie where the entry before lies."""

    name: bytes
    content: bytes = b"Some text."
    flags: int = 0
    method: int = zipfile.ZIP_DEFLATED
    mode: int = 0
    extra: bytes = b""
    claimed: int | None = None
    checksum: int | None = None
    shared: bool = False


def built(*entries: Entry, directory_size: int | None = None, directory_offset: int | None = None) -> bytes:
    """The archive; its directory's size and offset as given, or as they are."""
    out, directory = bytearray(), bytearray()
    at, packed, checksum = 0, b"", 0
    for entry in entries:
        if not entry.shared:
            packed = _deflated(entry.content) if entry.method == zipfile.ZIP_DEFLATED else entry.content
            checksum = zlib.crc32(entry.content) if entry.checksum is None else entry.checksum
        claimed = len(entry.content) if entry.claimed is None else entry.claimed
        common = struct.pack("<HHHHIII", entry.flags, entry.method, 0, 0x21, checksum, len(packed), claimed)
        if not entry.shared:
            at = len(out)
            out += b"PK\3\4" + struct.pack("<H", 20) + common + struct.pack("<HH", len(entry.name), 0) + entry.name
            out += packed
        directory += b"PK\1\2" + struct.pack("<BBH", 20, 3, 20) + common
        directory += struct.pack("<HHHHHII", len(entry.name), len(entry.extra), 0, 0, 0, entry.mode << 16, at)
        directory += entry.name + entry.extra
    return bytes(out + directory) + ending(
        min(len(entries), 0xFFFF),
        len(directory) if directory_size is None else directory_size,
        len(out) if directory_offset is None else directory_offset,
    )


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def ending(count: int, size: int, offset: int) -> bytes:
    return b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, size, offset, 0)


def names(*raw: bytes, flags: int = 0) -> bytes:
    return built(*(Entry(name, flags=flags) for name in raw))


def many(count: int) -> bytes:
    return built(*(Entry(b"%d.txt" % n, method=zipfile.ZIP_STORED) for n in range(count)))


def bomb(ratio: int, megabytes: int) -> bytes:
    """An archive that truly unpacks to so many megabytes, of about that ratio (at most 1000)."""
    content = bytes(megabytes * 2**20)
    filler = bytes(range(256)) * (len(content) // ratio // 256)
    return built(Entry(b"bomb.txt", content), Entry(b"filler.txt", filler, method=zipfile.ZIP_STORED))


def overlapping(count: int, kernel: bytes) -> bytes:
    """Many files, all of which lie in the same place."""
    return built(*(Entry(b"same.txt", kernel, shared=n > 0) for n in range(count)))


def unicode_path(raw: bytes, name: str) -> bytes:
    """Info-ZIP's extra field with the name in UTF-8."""
    field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


def ordinary(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """As Python's own zipfile packs it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
