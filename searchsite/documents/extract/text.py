"""Plain text, and the decoding that every textual format shares."""

import codecs
import re

from searchsite.documents.extract import charsets
from searchsite.documents.extract.extracted import Extracted, Limits, Writer

# UTF-32's mark begins with UTF-16's, so it is looked for first.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Text has hardly any control characters or undecodable bytes, a program or picture has many.
UNREADABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
MOST_UNREADABLE = 0.01
# A few wrong bytes in a UTF-8 file (cut in the middle of a character, a line from elsewhere) do not make it another
# encoding: that would show as wrong bytes everywhere.
MOST_WRONG = 0.05
JAPANESE_ESCAPE = b"\x1b$"  # with it ISO-2022-JP leaves ASCII; its bytes are those of ASCII, so they pass for UTF-8
# Where a page, or XML, says what it is in.
DECLARED = re.compile(
    rb"<\?xml\b[^>]{0,100}?\bencoding\s*=\s*[\"']([\w.:-]{2,30})|<meta\b[^>]{0,300}?\bcharset\s*=\s*[\"']?([\w.:-]{2,30})",
    re.IGNORECASE,
)
DECLARED_WITHIN = 4096  # bytes
WESTERN = "cp1252"
# What is declared under the name of a smaller set is, as in browsers, read in the larger one.
LARGER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-1": WESTERN,
    "iso8859-9": "cp1254",
    "koi8-r": "koi8_u",
}
# Names that Python lacks.
KNOWN_AS = {
    "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-big5": "big5hkscs",
}
# Codecs of Python that are not for text as it is stored: they decode nearly anything.
NOT_FOR_TEXT = frozenset(
    ["unicode-escape", "raw-unicode-escape", "unicode_escape", "raw_unicode_escape", "idna", "punycode"]
)


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


def decode(data: bytes, declared: str = "") -> str | None:
    """The text that the bytes stand for, without a byte order mark; None when they are not text.

    declared: the character set that they are said to be in. It is believed where the bytes bear it out.
    """
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return _if_text(data.decode(encoding, "replace"))
    if JAPANESE_ESCAPE in data and (text := decode_as(data, "iso2022_jp_2")) is not None:
        return _if_text(text)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        wrong = text.count("\N{REPLACEMENT CHARACTER}")
        beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
        if wrong <= MOST_WRONG * beyond_ascii:
            return _if_text(text)
    else:
        # ASCII with control characters: NULs are what English in UTF-16 is full of, others Russian in it.
        if not text.isascii() or (_if_text(text) is not None and text.count("\0") <= MOST_UNREADABLE * len(text)):
            return _if_text(text)
    guessed = charsets.guess(data)
    for name in (declared, _declared_within(data)):
        # Programs claim Latin-1, into which any bytes fit, for want of knowing better.
        if guessed in charsets.MULTIBYTE and _codec(name) == WESTERN:
            continue
        if (known := decode_as(data, name)) is not None and _if_text(known) is not None:
            return known
    return _if_text(data.decode(guessed, "replace")) if guessed else None


def decode_as(data: bytes, name: str) -> str | None:
    """The text in a character set of this name; None where there is no such set, or a byte does not fit it."""
    codec = _codec(name)
    try:
        return data.decode(codec) if codec else None
    except ValueError:
        return None


def _codec(name: str) -> str:
    """Python's codec for a character set as pages and mail name it; "" where there is none."""
    try:
        codec = codecs.lookup(KNOWN_AS.get(name.lower(), name)).name
    except (LookupError, ValueError):
        return ""
    is_for_text = codecs.lookup(codec)._is_text_encoding and codec not in NOT_FOR_TEXT
    return LARGER.get(codec, codec) if is_for_text else ""


def _declared_within(data: bytes) -> str:
    match = DECLARED.search(data[:DECLARED_WITHIN])
    return (match[1] or match[2]).decode("ascii") if match else ""


def _if_text(text: str) -> str | None:
    unreadable = sum(1 for _ in UNREADABLE.finditer(text))
    # One is forgiven however short the text is: it may have been cut in the middle of a character.
    return text if unreadable <= max(1, MOST_UNREADABLE * len(text)) else None
