"""What character set bytes without a mark are in: the one in which they read most like a language.

A character set is only half of a guess. Each candidate is a set with a language, and is scored by how usual its letters
are in that language; so a text of twenty bytes can be told, of which statistics of bytes say nothing.
"""

import codecs
import re
from functools import cache

SAMPLE = 8192  # bytes that are looked at
PIECE = 1000  # bytes of a line that are looked at
NOT_ASCII = re.compile(rb"[\x80-\xff]")
# Letters that are not of the language; anything below the least score is no text.
UNUSUAL = -2.0
UNREADABLE = -3.0
LEAST_SCORE = -1.2
TYPOGRAPHIC = "“”‘’„–—…«»°·•§©®€£№\xa0"
SYMBOLS = "±²³µ½¼¾×™"
FULL_WIDTH = "，。、；：？！（）《》「」『』【】〈〉“”‘’—…·～％　"
# The letters beyond ASCII of languages in alphabets, the most frequent first.
ALPHABETS = {
    "french": "éàèêçùâîôûëïœüÿæ",
    "german": "üäößé",
    "spanish": "óáíéñúü¿¡ºª",
    "portuguese": "ãçáéóíêâõàúôü",
    "italian": "èàùòìé",
    "nordic": "äåöøæéðþ",
    "polish": "łąęóżśćńź",
    "czech": "íáěéřčýžšůúťóňďľôäĺŕ",
    "hungarian": "áéöóőüíúű",
    "romanian": "ăşţîâ",
    "croatian": "čšžćđ",
    "turkish": "ıüşğçöİâî",
    "russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "ukrainian": "оаинвірестлкудмяпзьбгйчхжцїюєшщфґ",
    "greek": "αοιετσνηυρπκμλωςγδάίέόύήώχθφβξζψϊϋΐΰ",
    "hebrew": "יוהלאמרבתשנדקעפחכטגצזסםןךףץ",
    "arabic": "اليمنرتبوعهدسفحكقةجأشصطخىذضزغثئءؤظإآًٌٍَُِّْ،؟؛",
    "thai": "านรอกเงคมยลวดทสตะปบพหขจชใผไผซธโภถศแณฟษคญฐฉฝฆฮฤฬ่้ัิีึืุูำ็์ๆฯาๅ๊๋",
    "english": "",
}
COMMON = {
    "simplified": ""
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行"
    "所然家种事成方多经么去法学如都同现当没动面起看定天分还进好"
    "小部其些主样理心她本前开但因只从想实日军者意无力它与长把机"
    "十民第公此已工使情明性知全三又关点正业外将两高间由问很最重"
    "并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月"
    "话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及"
    "比员解水名真论处走义各入几口认条平系气题活更别打女变四神总"
    "何电数安少报才结反受目太量再感建务做接必场件计管期市直德资"
    "命山金指克许统区保至队形社便空决治展马科司五基书非则听光放"
    "强即像难且权思象完设式色路记南品住告类求据程北边死张该交规万取格望觉术领共确传师清今切院让识候带导争运请",
    "traditional": ""
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道"
    "行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進"
    "好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把"
    "機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最"
    "重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯"
    "月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立"
    "及比員解水名真論處走義各入幾口認條平系氣題活更別打女變四神"
    "總何電數安少報才結反受目太量再感建務做接必場件計管期市直德"
    "資命山金指克許統區保至隊形社便空決治展馬科司五基書非則聽光"
    "放強即像難且權思象完設式色路記南品住告類求據程北邊死張該交規萬取格望覺術領共確傳師清今切院讓識候帶導爭運請臺灣",
    "japanese": "日本人年大一国会中出月行事十見者東二三生自分上長時間社地方前後名学場今子手部高下体作用成回動発力定新"
    "聞電車書語話気意合同主関係家資料準備議午水曜金土火木円員内容問題確認京都市的法業化対実現",
    "korean": ""
    "이다는을에의가고하지한은로기사도서를대리자인해시어나일정그과보수아들부장게있것전제주니와여구국원동상공라성스비"
    "면안만신연조요중선으치무었년세명경유방학적관트분등드행생내"
    "개오미회물했소문계진월까할음우입습된위래너거모마력발화양실"
    "외때본용집같호산달건간직없영재업설단저교추러금천민심법불반후말두최번강열준식당네청결",
}
# Where a national standard keeps what is in daily use: the first bytes of its characters.
DAILY = {
    "simplified": ("gb2312", 0xB0, 0xD7),
    "traditional": ("big5", 0xA4, 0xC6),
    "japanese": ("euc_jp", 0xB0, 0xCF),
    "korean": ("euc_kr", 0xB0, 0xC8),
}
RARE = {
    "simplified": ("gb2312", 0xD8, 0xF7),
    "traditional": ("big5", 0xC9, 0xF9),
    "japanese": ("euc_jp", 0xD0, 0xF4),
    "korean": ("euc_kr", 0xCA, 0xFD),
}
WESTERN = ["french", "german", "spanish", "portuguese", "italian", "nordic"]
CENTRAL = ["polish", "czech", "hungarian", "romanian", "croatian"]
LATIN = frozenset([*WESTERN, *CENTRAL, "turkish", "english"])
# Letters of ASCII within words of another script: Han between letters ("it痴s", from "it’s"), an alphabet beside any.
BESIDE_LETTERS = re.compile("[a-zA-Z][^\x00-\xbf]|[^\x00-\xbf][a-zA-Z]")
BETWEEN_LETTERS = re.compile("[a-zA-Z][^\x00-\xbf](?=[a-zA-Z])")
# In an alphabet that is not Latin letters stand beside each other, and not beside those of ASCII ("KФln", from "Köln").
BEYOND_ASCII = re.compile("[^\x00-\xbf]")
WORD = re.compile(r"(?<![a-zA-Z\u00c0-\U0010ffff])[^\x00-\xbf]{2,}+(?![a-zA-Z])")
# A vowel of Thai without its consonant: text in two bytes a character is full of them.
NOT_THAI = re.compile("(?<![ก-ฮัิ-ฺ็-๎])[ัิ-ฺ็-๎]|[เ-ไ](?![ก-ฮ])|(?<![ก-ฮ็-๎])[ะาๅ]|[ะาำๅๆฯ][ัิ-ฺ็-๎]|[ัิ-ฺ][ัิ-ฺ]|[็-๎]{2}")
# Of candidates that score the same the first is taken.
CANDIDATES = {
    "gb18030": ["simplified", "traditional"],
    "big5hkscs": ["traditional"],
    "cp932": ["japanese"],
    "euc_jp": ["japanese"],
    "cp949": ["korean"],
    "cp1252": WESTERN,
    "cp1251": ["russian", "ukrainian"],
    "cp866": ["russian"],
    "koi8_u": ["russian", "ukrainian"],
    "cp1250": CENTRAL,
    "cp1253": ["greek"],
    "cp1254": ["turkish"],
    "cp1255": ["hebrew"],
    "cp1256": ["arabic"],
    "cp850": WESTERN,
    "cp852": ["polish", "czech", "hungarian", "romanian"],
    "iso8859_2": CENTRAL,
    "iso8859_5": ["russian", "ukrainian"],
    "iso8859_6": ["arabic"],
    "iso8859_8": ["hebrew"],
    "cp874": ["thai"],
}
# Sets that are seldom met today; their text has to read better than that in another set.
SELDOM = {
    "cp850": 0.1,
    "cp852": 0.1,
    "iso8859_2": 0.1,
    "iso8859_5": 0.3,
    "iso8859_6": 0.3,
    "iso8859_8": 0.3,
    "cp874": 0.4,
}
# Sets of characters of two bytes: text in a set of one byte hardly ever reads like a language in these.
MULTIBYTE = frozenset(["gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"])
UTF_16 = ["utf_16_le", "utf_16_be"]
UTF_32 = ["utf_32_le", "utf_32_be"]


def guess(data: bytes) -> str | None:
    """The name of the character set (of Python's codecs); None when the bytes read like no language in any."""
    for encoding in UTF_32:
        if _is(data[: SAMPLE - SAMPLE % 4 + 4], encoding):
            return encoding
    pieces = _sample(data)
    scores = []
    for encoding, languages in CANDIDATES.items():
        decoder = codecs.getincrementaldecoder(encoding)
        # Not final: a character that the end of a piece cuts in two is no fault of the candidate.
        text = "\n".join(decoder("replace").decode(piece) for piece in pieces)
        less = SELDOM.get(encoding, 0.0)
        scores += [(_score(text, language) - less, encoding) for language in languages]
    for encoding in UTF_16 if len(data) % 2 == 0 or len(data) > SAMPLE else ():
        text = codecs.getincrementaldecoder(encoding)("replace").decode(data[:SAMPLE])
        best = max(_score(text, language, ascii_weight=0.5) for language in [*ALPHABETS, *COMMON])
        # Any two bytes are a character in UTF-16, so these have to be usual ones.
        scores += [(best, encoding)] if best > 0 else []
    score, encoding = max(scores, key=lambda scored: scored[0])
    return encoding if score >= LEAST_SCORE else None


def _is(data: bytes, encoding: str) -> bool:
    """Whether all is valid in an encoding in which next to nothing is by chance."""
    try:
        return len(data) > 4 and bool(data.decode(encoding).strip("\0"))
    except UnicodeDecodeError:
        return False


def _sample(data: bytes) -> list[bytes]:
    """Beginnings of lines with bytes beyond ASCII, from all over the data: no character is cut at its first byte."""
    pieces: list[bytes] = []
    step = len(data) * PIECE // SAMPLE
    position = 0
    while len(pieces) < SAMPLE // PIECE * 4 and (match := NOT_ASCII.search(data, position)):
        line_end = data.find(b"\n", match.start()) + 1 or len(data)
        start = max(position, match.start() - 20)
        pieces.append(data[start : min(line_end, start + PIECE)])
        position = line_end
        if len(data) > SAMPLE:
            position = data.find(b"\n", max(line_end, len(pieces) * step // 4)) + 1 or len(data)
    return pieces or [data[:PIECE]]


def _score(text: str, language: str, ascii_weight: float | None = None) -> float:
    """How usual the characters are in a language, on average: about 1 for its own text, below 0 for another's.

    ascii_weight: what a character of ASCII counts; None where ASCII says nothing, being the same in every candidate.
    """
    weights = _weights(language)
    total, counted = 0.0, 0
    if language not in LATIN:
        total -= len((BETWEEN_LETTERS if language in COMMON else BESIDE_LETTERS).findall(text))
        if language in ALPHABETS and 2 * sum(map(len, WORD.findall(text))) < len(BEYOND_ASCII.findall(text)):
            return UNREADABLE
        if language == "thai":
            total += UNUSUAL * len(NOT_THAI.findall(text))
    before = "\n"
    for c in text:
        if "\x20" <= c < "\x7f" or c in "\t\n\r\f":
            if ascii_weight is not None:
                total += ascii_weight
                counted += 1
        elif c < "\x20" or "\x7f" <= c < "\xa0" or c == "\ufffd":
            total += UNREADABLE
            counted += 1
        else:
            total += weights.get(c, UNUSUAL)
            if c.isupper() and before.islower():
                total -= 1
            counted += 1
        before = c
    return total / counted if counted else 0.0


@cache
def _weights(language: str) -> dict[str, float]:
    """What each character beyond ASCII counts in a language."""
    weights: dict[str, float] = {}
    if language in COMMON:
        for ranges, weight in ((RARE, -0.7), (DAILY, 0.2)):
            standard, first, last = ranges[language]
            for lead in range(first, last + 1):
                characters = b"".join(bytes([lead, trail, 10]) for trail in range(0x40, 0xFF)).decode(
                    standard, "ignore"
                )
                weights |= {c: weight for c in characters if c > "\x7f"}
        weights |= dict.fromkeys(FULL_WIDTH, 0.6)
        weights |= {chr(c): 0.0 for c in range(0xFF10, 0xFF5B)}  # full-width letters and digits
        if language == "japanese":
            weights |= {chr(c): 0.8 for c in range(0x30A1, 0x30FD)}  # katakana
            weights |= {chr(c): 1.0 for c in range(0x3041, 0x3094)}  # hiragana
        return weights | dict.fromkeys(COMMON[language], 1.0)
    letters = ALPHABETS[language]
    # A lone sign in English text is most likely the Western one.
    weights = dict.fromkeys(TYPOGRAPHIC + SYMBOLS, 0.7) if language in WESTERN else dict.fromkeys(TYPOGRAPHIC, 0.3)
    for place, letter in enumerate(letters):
        weight = 1 - 0.7 * place / len(letters)
        weights.setdefault(letter.upper()[0], weight - 0.3)
        weights[letter] = weight
    return weights
