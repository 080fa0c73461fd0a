"""Plain text, and the decoding that every textual format shares."""

import codecs

from searchsite.documents.extract.extracted import Extracted, Limits, Writer

# UTF-32's mark begins with UTF-16's, so it is looked for first.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What text is written in that is not UTF-8. Python knows many more encodings; each more that is tried makes a wrong
# guess likelier, most of all for short texts. Of equally likely ones the first is taken.
GUESSED = [
    "gb18030", "big5", "cp932", "euc_jp", "cp949", "utf_16_le", "utf_16_be",
    "cp1252", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256",
]  # fmt: skip
# Text has hardly any control characters or undecodable bytes, a program or picture has many.
LAYOUT = frozenset("\t\n\v\f\r\x1b")
MOST_UNREADABLE = 0.01
# A few wrong bytes in a UTF-8 file (cut in the middle of a character, a line from elsewhere) do not make it another
# encoding: that would show as wrong bytes everywhere.
MOST_WRONG = 0.05


def read(data: bytes, limits: Limits) -> Extracted:
    """Read plain text in UTF-8. Raises Problem("too_much_text")."""
    writer = Writer(limits)
    writer.block(data.decode())
    return writer.extracted("text")


def read_code(data: bytes, limits: Limits) -> Extracted:
    """Read a program's source, or data meant for programs, in UTF-8: its line breaks are kept.

    Raises Problem("too_much_text").
    """
    writer = Writer(limits)
    writer.preformatted(data.decode())
    return writer.extracted("code")


def decode(data: bytes) -> str | None:
    """The text that the bytes stand for, without a byte order mark; None when they are not text."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return _if_text(data.decode(encoding, "replace"))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        wrong = text.count("\N{REPLACEMENT CHARACTER}")
        beyond_ascii = sum(map("\x7f".__lt__, text))
        if wrong <= MOST_WRONG * beyond_ascii:
            return _if_text(text)
    else:
        # NULs are valid UTF-8, and what English in UTF-16 is full of.
        if "\0" not in text:
            return _if_text(text)
    return _guess(data)


def _guess(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    matches = list(from_bytes(data, cp_isolation=GUESSED))
    if not matches:
        return None
    best = min(matches, key=lambda m: (m.chaos, -m.coherence, GUESSED.index(m.encoding)))
    return _if_text(data.decode(best.encoding, "replace"))


def _if_text(text: str) -> str | None:
    unreadable = text.count("\N{REPLACEMENT CHARACTER}") + sum(
        1 for c in text if (c < " " or "\x7f" <= c <= "\x9f") and c not in LAYOUT
    )
    # One is forgiven however short the text is: it may have been cut in the middle of a character.
    return text if unreadable <= max(1, MOST_UNREADABLE * len(text)) else None
