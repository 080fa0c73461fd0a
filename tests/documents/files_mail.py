"""Small messages of Outlook, made by hand: an OLE container ([MS-CFB] version 3) with what [MS-OXMSG] puts into it."""

from __future__ import annotations

import struct

SECTOR, MINI_SECTOR = 512, 64
FREE, END, IS_FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5
UNICODE, EIGHT_BIT, BINARY, INTEGER, TIME = 0x1F, 0x1E, 0x102, 0x3, 0x40
ROOT_HEADER, ATTACHMENT_HEADER = 32, 8  # bytes before the properties

Tree = dict[str, "bytes | Tree"]
Properties = dict[tuple[int, int], "str | bytes | int"]


def msg(properties: Properties, attachments: list[Properties] = []) -> bytes:  # noqa: B006
    """A message with these properties: (id, type) -> value."""
    tree = storage(properties, ROOT_HEADER)
    for number, attachment in enumerate(attachments):
        tree[f"__attach_version1.0_#{number:08X}"] = storage(attachment, ATTACHMENT_HEADER)
    return container(tree)


def storage(properties: Properties, header: int) -> Tree:
    tree: Tree = {}
    table = bytes(header)
    for (pid, ptyp), value in sorted(properties.items()):
        if isinstance(value, int):
            table += struct.pack("<HHIQ", ptyp, pid, 6, value)
            continue
        content = value.encode("utf-16-le") if isinstance(value, str) else value
        table += struct.pack("<HHIII", ptyp, pid, 6, len(content), 0)
        tree[f"__substg1.0_{pid:04X}{ptyp:04X}"] = content
    tree["__properties_version1.0"] = table
    return tree


def container(tree: Tree) -> bytes:
    """An OLE container in which every stream is smaller than 4096 bytes, and so lies in the mini stream."""
    entries: list[list[int | str]] = [["Root Entry", ROOT, FREE, FREE, 0, 0]]  # name, kind, right, child, start, size
    mini, mini_fat = bytearray(), list[int]()

    def add(tree: Tree, parent: int) -> None:
        before = None
        for name, content in tree.items():
            number = len(entries)
            entries.append([name, STREAM, FREE, FREE, END, 0])
            if before is None:
                entries[parent][3] = number
            else:
                entries[before][2] = number
            before = number
            if isinstance(content, dict):
                entries[number][1] = STORAGE
                add(content, number)
            elif content:
                assert len(content) < 4096
                first, count = len(mini_fat), -(-len(content) // MINI_SECTOR)
                mini_fat.extend([*range(first + 1, first + count), END])
                mini.extend(content.ljust(count * MINI_SECTOR, b"\0"))
                entries[number][4:] = [first, len(content)]

    add(tree, 0)
    directory = b"".join(
        struct.pack(
            "<64sHBB3I16sI8s8sIQ", f"{name}\0".encode("utf-16-le"), 2 * len(str(name)) + 2, kind, 1, FREE, right, child,
            b"", 0, b"", b"", start, size,
        )
        for name, kind, right, child, start, size in [[*entries[0][:4], 0, len(mini)], *entries[1:]]
    )  # fmt: skip
    streams = [bytes(mini), directory, struct.pack(f"<{len(mini_fat)}I", *mini_fat)]
    sectors: list[bytes] = []
    fat: list[int] = []
    starts: list[int] = []
    for stream in streams:
        padding = b"\xff" if stream is streams[2] else b"\0"
        count = max(1, -(-len(stream) // SECTOR))
        starts.append(len(sectors))
        fat.extend([*range(len(sectors) + 1, len(sectors) + count), END])
        padded = stream.ljust(count * SECTOR, padding)
        sectors.extend(padded[n * SECTOR : (n + 1) * SECTOR] for n in range(count))
    assert len(fat) < SECTOR // 4
    fat = [*fat, IS_FAT, *[FREE] * (SECTOR // 4 - len(fat) - 1)]
    header = struct.pack(
        "<8s16s5H6s9I",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, starts[1], 0, 0x1000, starts[2],
        len(streams[2]) // SECTOR + 1, END, 0,
    ) + struct.pack("<109I", len(sectors), *[FREE] * 108)  # fmt: skip
    return header + b"".join(sectors) + struct.pack("<128I", *fat)
