"""The query language: words, "exact phrase", -without and field:value, in half or full width.

    remote work policy "home office" -contractor collection:"HR 2024" type:pdf after:2024-05
    试用期多久 “劳动合同” －实习 标签：人事 早于：2024年5月

Whatever is not well-formed counts as words: an unclosed quote, an unknown field, a date that is none. What is no
character of a text (NUL, half of a surrogate pair) separates words, as a space does, and so comes out nowhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import date
from functools import lru_cache
from typing import Literal

from searchsite.documents.extract.kinds import KIND_OF_EXTENSION
from searchsite.documents.language import WRITTEN_IN_LATIN, WRITTEN_OTHERWISE

MAX_QUESTION = 1000  # characters, conditions and all
MOST_PHRASES = 5
LONGEST_PHRASE = 200  # characters; what is longer is quoted, but nobody's exact words

FIELDS = {
    **{name: name for name in ("title", "collection", "type", "lang", "tag", "before", "after")},
    "标题": "title", "集合": "collection", "类型": "type", "语言": "lang", "标签": "tag", "早于": "before",
    "標題": "title", "類型": "type", "語言": "lang", "標籤": "tag", "早於": "before", "晚于": "after", "晚於": "after",
}  # fmt: skip

KINDS = frozenset(KIND_OF_EXTENSION.values())
# One word of people's for several kinds. No name of a kind is among them, so that each kind can be asked for alone.
GROUPS = {"word": ("doc", "docx", "odt"), "mail": ("eml", "msg"), "table": ("csv", "sheet")}
TYPES = {
    **{extension.removeprefix("."): kind for extension, kind in KIND_OF_EXTENSION.items()},
    **dict.fromkeys(["excel", "spreadsheet", "电子表格"], "sheet"),
    **dict.fromkeys(["powerpoint", "ppt", "slides", "presentation", "幻灯片", "演示文稿"], "pptx"),
    **dict.fromkeys(["email", "e-mail", "邮件", "电子邮件"], "mail"),
    **dict.fromkeys(["picture", "photo", "图片", "图像"], "image"),
    "web": "html", "网页": "html", "ebook": "epub", "电子书": "epub", "notebook": "ipynb", "jupyter": "ipynb",
    "outlook": "msg", "表格": "table", "代码": "code", "文本": "text", "纯文本": "text",
    **{name: name for name in (*KINDS, *GROUPS)},
}  # fmt: skip
LANGUAGES = frozenset(["zh", "other", *WRITTEN_IN_LATIN, *WRITTEN_OTHERWISE])
LANGUAGE_NAMES = dict.fromkeys(["chinese", "中文", "汉语", "漢語"], "zh")
LANGUAGE_NAMES |= dict.fromkeys(["english", "英文", "英语", "英語"], "en")
LANGUAGE_CODE = re.compile(r"([a-z]{2,5})(?:[-_][a-z0-9]{2,8}){0,3}")
DAY = re.compile(
    r"[0-9]{4}(?:([-/.])[0-9]{1,2}(?:\1[0-9]{1,2})?)?"  # 2024, 2024-05, 2024/5/1
    r"|[0-9]{4}年(?:[0-9]{1,2}月(?:[0-9]{1,2}[日号]?)?)?"
)

MINUS = "-－−–"
_DASHES = str.maketrans(dict.fromkeys(MINUS, "-"))
NUMBER = re.compile(r"[.,$€£¥￥]?\d")  # begins one, behind a minus
SEPARATING = ",;，；、?!？！。"  # ends a value or word that is not quoted, and is no part of it
_SPACE = r"\s\0\u200b\ufeff\ud800-\udfff"
_SPACES = re.compile(f"[{_SPACE}]+")
# Between two marks of one sort stands none of that sort: so the search for the second ends at the next, and all is
# linear in time. A straight mark behind a Latin word or number, and before no word, begins nothing: it is inches.
_MARK = '"“”„＂「」『』«»'
_QUOTED = (
    r'(?:“|(?<![0-9A-Za-z])["＂”]|["＂”](?=\w))[^"“”„＂]*["”＂]|„[^"“”„＂]*["“”＂]'
    r"|「[^「」]*」|『[^『』]*』|«[^«»]*»|»[^«»]*«"
)
_TOKEN = re.compile(f"(?P<quoted>{_QUOTED})|(?:[^{_SPACE}{_MARK}]|(?!{_QUOTED})[{_MARK}])++")
_Match = re.Match[str]
_FIELD = re.compile(r"([^\W\d_]{2,10})[:：]")
_AROUND = ("", '""', "「」", "『』", "«»")  # around a value that is added, the first that does


@dataclass(frozen=True)
class Condition:
    """What documents must be, or, negated, may not be.

    value: as typed for title, collection and tag; for before (earlier than) and after (from that day on) the first day
    of the period that was named, as ISO date; for lang an ISO 639-1 code, or "other"; for type see `kinds_of`.
    start, end: where it stands in the text that was parsed; conditions that say the same are equal wherever they stand.
    """

    field: str
    value: str
    negated: bool = False
    start: int = dataclass_field(default=0, compare=False)
    end: int = dataclass_field(default=0, compare=False)


@dataclass(frozen=True)
class Query:
    """A question, taken apart.

    text: what is asked by meaning and keywords: words and phrases in their order, without quotes.
    phrases: what must be held word for word where anything holds it; at most MOST_PHRASES.
    without: words and phrases that a passage may not hold.
    """

    text: str
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A stretch of the question that is one thing, and no condition."""

    role: Literal["words", "phrase", "without"]
    value: str
    start: int
    end: int


@lru_cache(maxsize=256)  # a page of results asks for the same again for each value that would narrow it down
def parse(text: str) -> Query:
    """The question that a text asks. Any text is one; linear in time."""
    everything = list(_parts(text))
    parts = [one for one in everything if isinstance(one, _Part)]
    phrases = [part.value for part in parts if part.role == "phrase" and len(part.value) <= LONGEST_PHRASE]
    return Query(
        _joined([part for part in parts if part.role != "without"]),
        tuple(phrases[:MOST_PHRASES]),
        tuple(part.value for part in parts if part.role == "without"),
        tuple(part for part in everything if isinstance(part, Condition)),
    )


def kinds_of(value: str) -> tuple[str, ...]:
    """The values of Revision.kind that a condition "type" of this value stands for: one kind, or those of a group
    ("word", "mail", "table"); none where it is neither."""
    return GROUPS.get(value) or ((value,) if value in KINDS else ())


def narrowed(text: str, field: str, value: str) -> str:
    """The question with a condition added at its end, its spaces tidied; the very question where it has the condition,
    or where there is none such (an unknown language). May be longer than a question is allowed to be."""
    question, given, wanted = _tidy(text), _tidy(value), Condition(field, meant(field, value))
    query = parse(question)
    if not wanted.value or wanted in query.conditions:
        return text
    written = [f"{field}:{marks[:1]}{given}{marks[1:]}" for marks in _AROUND]
    behind = replace(query, conditions=(*query.conditions, wanted))
    before = replace(query, conditions=(wanted, *query.conditions))
    # An unclosed quote in the question may end in one of the value's: then other marks do, or another place.
    candidates = [(f"{question} {one}".strip(), behind) for one in written]
    candidates += [(f"{one} {question}", before) for one in written]
    return next((candidate for candidate, sought in candidates if parse(candidate) == sought), text)


def widened(text: str, condition: Condition) -> str:
    """The question without a condition that was parsed from it, its spaces tidied. All else that it says stays, unless
    it has an unclosed quote, which may find its end once the condition is gone."""
    return _tidy(f"{text[: condition.start]} {text[condition.end :]}")


def meant(field: str, given: str) -> str:
    """The value of a condition, as Condition has it, for what somebody wrote; "" where it is none."""
    given = _tidy(given)
    folded = _fold(given)
    if field in ("before", "after"):
        return _day(folded)
    if field == "lang":
        code = LANGUAGE_CODE.fullmatch(folded)
        return LANGUAGE_NAMES.get(folded, code[1] if code and code[1] in LANGUAGES else "")
    if field == "type":
        return TYPES.get(folded.removeprefix("."), "")
    return given if field in FIELDS.values() else ""


def _parts(text: str) -> Iterator[_Part | Condition]:
    """The question from its beginning to its end, spaces left out."""
    tokens = list(_TOKEN.finditer(text))
    number, free_at = 0, 0
    while number < len(tokens):
        token = tokens[number]
        following = tokens[number + 1] if number + 1 < len(tokens) else None
        quoted = following if following and following["quoted"] and following.start() == token.end() else None
        # A minus is one behind a space, and behind a condition, which must be nothing to what is next to it.
        free = token.start() == free_at or number == 0 or tokens[number - 1].end() < token.start()
        part = _quote(token) if token["quoted"] else _run(token, quoted, free)
        number += 2 if part.end > token.end() else 1
        free_at = part.end if isinstance(part, Condition) else -1
        yield part


def _quote(token: _Match) -> _Part:
    if _has_word(inside := _tidy(token.group()[1:-1])):
        return _Part("phrase", inside, token.start(), token.end())
    return _Part("words", _tidy(token.group()), token.start(), token.end())


def _run(token: _Match, quoted: _Match | None, free: bool) -> _Part | Condition:
    """What characters without a space come to, together with the quotes that they touch if they claim them."""
    run, start, end = token.group(), token.start(), token.end()
    sign = 1 if free and run[0] in MINUS else 0
    named = _FIELD.match(run, sign)
    field = FIELDS.get(_fold(named[1])) if named else None
    if named and field:
        return _condition(field, run[named.end() :], token, quoted, bool(sign))
    if sign and len(run) == 1 and quoted:
        if _has_word(inside := _tidy(quoted.group()[1:-1])):
            return _Part("without", inside, start, quoted.end())
    elif sign and run[1:2] not in MINUS and not NUMBER.match(run, 1) and _has_word(run):
        return _Part("without", run[1:].rstrip(SEPARATING), start, end)
    return _Part("words", run, start, end)


def _condition(field: str, bare: str, token: _Match, quoted: _Match | None, negated: bool) -> _Part | Condition:
    """A known field with its value; as words where it is no value of that field, also if negated: excluding something
    that was not meant hides what is looked for."""
    end = quoted.end() if quoted and not bare else token.end()
    given = quoted.group()[1:-1] if quoted and not bare else bare.rstrip(SEPARATING)
    if not bare.startswith((":", "：")) and (value := meant(field, given)):
        return Condition(field, value, negated, token.start(), end)
    return _Part("words", _tidy(token.string[token.start() : end]), token.start(), end)


def _joined(parts: list[_Part]) -> str:
    """Words and phrases, spaced as they were, and where quotes stood between two words."""
    pieces: list[str] = []
    for number, part in enumerate(parts):
        touches = number > 0 and parts[number - 1].end == part.start
        if pieces and not (touches and not (pieces[-1][-1].isalnum() and part.value[0].isalnum())):
            pieces.append(" ")
        pieces.append(part.value)
    return "".join(pieces)


def _day(folded: str) -> str:
    """The first day of a year, a month or a day, as ISO date; "" where there is none such."""
    folded = folded.translate(_DASHES)
    if not DAY.fullmatch(folded):
        return ""
    try:
        return date(*(*map(int, re.findall("[0-9]+", folded)), 1, 1)[:3]).isoformat()
    except ValueError:
        return ""


def _tidy(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _fold(text: str) -> str:
    """In lower case and half width."""
    return unicodedata.normalize("NFKC", text).casefold()


def _has_word(text: str) -> bool:
    return any(map(str.isalnum, text))
