"""The lines of a PDF's page, put together again to paragraphs.

A text layer has lines and no paragraphs. Two lines are joined only where all speaks for it: a break too many is less
harm than a table, a poem or a listing run together.
"""

import re
from bisect import bisect_left
from itertools import pairwise

from searchsite.documents.extract.ocr import UNSPACED

FULL_LINE = 0.85  # of the usual length; a paragraph's last line is shorter
SHORTEST_USUAL = 30  # characters; where lines are usually shorter there are tables, lists and labels
FEWEST_USUAL = 3  # lines
# Of the lines behind a full one, those that begin within a sentence: most in prose, even in German; few in poems and
# tables.
LEAST_WITHIN = 0.4
MOST_NUMBERS = 0.34  # of the words of a line of prose
FEWEST_LETTERS = 0.65  # of the characters of a line of prose
# "•", "1.", "2.3 Title", "a)", "(iv)", "[12]", "3See", "一、", "（二）", "第三条"
ITEM = re.compile(
    r"(?:[^\w\s\"'“”‘’„«»(（《「『\[$€£§&@/…,.，。、]|[*\-–—·])(?:\s|(?<![-–—*·])\w)|"
    r"\d{1,3}(?:\.\d{1,3})*[.)）、．:]?(?:\s+(?![a-zß-ÿ])|(?=[A-Z\u4e00-\u9fff]))|"
    r"[(（]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)）](?=\s|[\u4e00-\u9fff])|[(（]?[一二三四五六七八九十]{1,3}[)）、．.]|"
    r"\[\w{1,8}\]|第[\d一二三四五六七八九十百]{1,4}[章节条]"
)
SENTENCE_END = re.compile(r"[.!?:;。！？：；…][\"'”’»)\]）」』】》]*\Z")
# Leaders of a table of contents; columns; the marks of programs.
NOT_PROSE = re.compile(
    r"(?:[.·…] ?){4}|\t|\||\S {2,}\S.*\S {2,}\S|[{}]|;\Z|(?<!:)//|\A(?:#|>>>|\$ |</?\w)|==|:=|->|=>|\w\(\)|\w = \w"
)
NUMBER = re.compile(r"[^\w]*\d[\d.,:/%-]*\W*\Z")
WORD_BREAK = re.compile(r"[^\W\d_]-\Z")


def full_length(lines: list[str]) -> float | None:
    """From which width on a line of this page fills it; None where no lines are of a usual length, or it is no prose.

    Widths are in characters, Chinese ones counted twice.
    """
    widths = sorted(width for line in lines if (width := _width(line)) >= SHORTEST_USUAL and _is_prose(line))
    # The longest of the lengths within whose range most lines lie.
    counts = [(index + 1 - bisect_left(widths, FULL_LINE * width), width) for index, width in enumerate(widths)]
    count, usual = max(counts, default=(0, 0))
    if count < FEWEST_USUAL:
        return None
    full = FULL_LINE * usual
    behind = [
        follower
        for line, follower in pairwise(lines)
        if _width(line) >= full and follower.strip() and not SENTENCE_END.search(line.rstrip())
    ]
    within = sum(_begins_within(line) for line in behind)
    return full if behind and within >= LEAST_WITHIN * len(behind) else None


def joined(lines: list[str], full: float | None) -> str:
    """The text of these lines, a paragraph to a line; `full`: what `full_length` gave for their page."""
    if full is None:
        return "\n".join(lines)
    parts: list[str] = []
    before = ""
    for line in lines:
        if parts and _goes_on(before, line, full):
            parts += (_glue(before.rstrip(), line.lstrip()), line.lstrip())
        else:
            parts += ("\n", line)
        before = line
    return "".join(parts[1:])


def _goes_on(line: str, follower: str, full: float) -> bool:
    """Whether the sentence of a line goes on in the next one."""
    line, follower = line.rstrip(), follower.strip()
    if not follower or _width(line) < full or ITEM.match(follower):
        return False
    if not _is_prose(line) or NOT_PROSE.search(follower):
        return False
    if SENTENCE_END.search(line):  # perhaps the paragraph's, too
        return False
    if follower[0].islower():
        # Neither an index nor an exponent, which stand on lines of their own.
        return " " in follower or len(follower) > 2
    # Else it may be a heading, or the next row.
    return _width(follower) >= full or bool(SENTENCE_END.search(follower))


def _begins_within(line: str) -> bool:
    """Whether it begins as lines within a sentence do; in Chinese, which shows it nowhere, if it is no item."""
    first = line.lstrip()[:1]
    return first.islower() or (bool(UNSPACED.match(first)) and not ITEM.match(line.lstrip()))


def _is_prose(line: str) -> bool:
    line = line.strip()
    words = line.split()
    if not words or NOT_PROSE.search(line):
        return False
    # Every Chinese character counts as a word.
    numbers = sum(bool(NUMBER.match(word)) for word in words)
    if numbers > MOST_NUMBERS * (len(words) + len(UNSPACED.findall(line))):
        return False
    seen = sum(map(len, words))
    return sum(map(str.isalpha, line)) >= FEWEST_LETTERS * seen


def _width(line: str) -> int:
    return len(line.strip()) + len(UNSPACED.findall(line))


def _glue(line: str, follower: str) -> str:
    """What stands between two lines of a paragraph: a space, but within Chinese and behind a hyphen."""
    if WORD_BREAK.search(line) and follower[0].islower():
        return ""
    ends = UNSPACED.match(line[-1]), UNSPACED.match(follower[0])
    both = all(ends)
    punctuation = any(end and not end[0].isalpha() for end in ends)
    return "" if both or punctuation else " "
