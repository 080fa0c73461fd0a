"""Bytes become the text that was written, whatever character set it was written in."""

from __future__ import annotations

import random
import time

import pytest

from searchsite.documents.extract.text import decode, decode_as

SIMPLIFIED = "下周三上午十点在三楼会议室讨论明年的预算，请各部门提前准备好材料。如有问题，请与办公室联系。"
TRADITIONAL = "會議將於星期三上午十點在三樓舉行，請各部門提前準備資料。如有問題，請與辦公室聯絡。"
JAPANESE = "会議は水曜日の午前十時から三階の会議室で行います。資料を準備してください。"
KOREAN = "회의는 수요일 오전 열 시에 삼층 회의실에서 열립니다. 자료를 미리 준비해 주십시오."
RUSSIAN = "Совещание состоится в среду в десять часов утра в зале на третьем этаже. Подготовьте отчёт."
UKRAINIAN = "Нарада відбудеться в середу о десятій годині ранку. Будь ласка, підготуйте всі матеріали."
FRENCH = "La réunion aura lieu mercredi à dix heures ; l’été, la salle est très chaude, hélas."
GERMAN = "Bitte überprüfen Sie die Unterlagen früher, damit wir für die Prüfung genügend Zeit haben."
SPANISH = "¿Podría usted preparar los documentos para el próximo año? La reunión será mañana."
SWEDISH = "Mötet äger rum på onsdag klockan tio på förmiddagen, och alla är välkomna."
POLISH = "Spotkanie odbędzie się w środę. Proszę przygotować wszystkie materiały wcześniej."
CZECH = "Schůze se koná ve středu v deset hodin dopoledne. Připravte si všechny podklady předem."
HUNGARIAN = "Az értekezlet szerdán délelőtt tíz órakor kezdődik, készítsék elő az összes anyagot."
GREEK = "Η συνάντηση θα γίνει την Τετάρτη στις δέκα το πρωί. Παρακαλώ ετοιμάστε τα έγγραφα."
TURKISH = "Toplantı çarşamba günü saat onda yapılacaktır. Lütfen bütün belgeleri önceden hazırlayın."
HEBREW = "הפגישה תתקיים ביום רביעי בשעה עשר בבוקר. אנא הכינו את כל המסמכים מראש."
ARABIC = "سيعقد الاجتماع يوم الأربعاء الساعة العاشرة صباحا. يرجى إعداد جميع الوثائق مسبقا."
ENGLISH = "The meeting takes place on Wednesday at ten."
THAI = "การประชุมจะจัดขึ้นในวันพุธเวลาสิบโมงเช้า กรุณาเตรียมเอกสารให้พร้อม"
WRITTEN_IN = [
    (SIMPLIFIED, ["utf-8", "gb18030", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"]),
    (TRADITIONAL, ["big5", "gb18030", "utf-16-le", "utf-8-sig"]),
    (JAPANESE, ["shift_jis", "euc_jp", "iso2022_jp", "utf-16-le"]),
    (KOREAN, ["euc_kr", "utf-16-be"]),
    (RUSSIAN, ["cp866", "cp1251", "koi8_r", "utf-16-le"]),
    (UKRAINIAN, ["cp1251", "koi8_u"]),
    *((text, ["cp1252"]) for text in (FRENCH, GERMAN, SPANISH, SWEDISH)),
    *((text, ["cp1250"]) for text in (POLISH, CZECH, HUNGARIAN)),
    (GREEK, ["cp1253"]),
    (TURKISH, ["cp1254"]),
    (HEBREW, ["cp1255"]),
    (ARABIC, ["cp1256"]),
    *((text, ["cp850"]) for text in (GERMAN, SPANISH, SWEDISH)),
    *((text, ["cp852", "iso8859_2"]) for text in (POLISH, CZECH, HUNGARIAN)),
    *((text, ["iso8859_5"]) for text in (RUSSIAN, UKRAINIAN)),
    (ARABIC, ["iso8859_6"]),
    (HEBREW, ["iso8859_8"]),
    (THAI, ["cp874"]),
    (ENGLISH, ["utf-16-le", "utf-16-be", "utf-32-be"]),
]
TOO_SHORT = ("Spotkanie odbędzie s", "Spotkanie odbędzie się ")  # whose only letter beyond ASCII is also French
CASES = [(text, encoding) for text, encodings in WRITTEN_IN for encoding in encodings]


@pytest.mark.parametrize(("text", "encoding"), CASES, ids=[f"{text[:7]}-{encoding}" for text, encoding in CASES])
def test_sentences(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(("text", "encoding"), CASES, ids=[f"{text[:7]}-{encoding}" for text, encoding in CASES])
def test_beginnings_of_sentences(text: str, encoding: str) -> None:
    """From about 20 bytes on."""
    letters = 1 if len(text.encode(encoding)) < 1.5 * len(text) else 2
    for size in range(20 // letters, 70 // letters, 3):
        short = text[:size]
        if not short.isascii() and short not in TOO_SHORT:
            assert decode(short.encode(encoding)) == short


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("姓名,年龄,城市\n张伟,30,北京\n李娜,25,上海\n", "gb18030"),
        ("名前,年齢,住所\n山田花子,30,東京\n鈴木一郎,25,大阪\n", "cp932"),
        ("이름,나이,도시\n김철수,30,서울\n이영희,25,부산\n", "euc_kr"),
        ("Имя;Возраст;Город\nИван;30;Москва\nАнна;25;Казань\n", "cp866"),
        ("It’s a “quoted” text – with dashes…", "cp1252"),
        ("Price: 5 €", "cp1252"),
        ("© 2024, 20 °C ±3", "cp1252"),
        ("naïve café", "cp1252"),
        ("会议纪要", "gb18030"),
        ("員工手冊", "big5"),
        ("Привет", "cp866"),
        ("Müller;Köln", "cp437"),
        ("Müller;Köln", "cp850"),
        ("Été à Genève", "cp850"),
        ("Æblegrød og fløde på brød", "cp865"),
        ("chrząszcz", "iso8859_2"),
        ("chrząszcz", "cp852"),
        ("Příliš žluťoučký kůň", "cp852"),
        ("สวัสดีครับ", "cp874"),
        *((title, "gb18030") for title in ("会议", "年度报告", "预算表", "高血压", "员工名单", "用户手册")),
        *((title, "big5") for title in ("名單", "年度報告", "預算表", "使用手冊")),
    ],
)
def test_little_text(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("text", ["odbędzie się w", "Proszę", "przygotować"])
def test_what_is_too_short_to_be_told_still_is_text(text: str) -> None:
    """Polish whose only letters beyond ASCII are where French has ê and æ is taken for French."""
    assert decode(text.encode("cp1250")) == text.translate(str.maketrans("ęć", "êæ"))


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta charset="{}">',
        "<meta http-equiv='Content-Type' content='text/html; charset={}'>",
        "<?xml version='1.0' encoding='{}'?>",
    ],
)
def test_what_is_declared_is_believed(declaration: str) -> None:
    text = declaration.format("windows-1250") + "<p>odbędzie się w"

    assert decode(text.encode("cp1250")) == text
    assert decode("odbędzie się w".encode("cp1250"), "windows-1250") == "odbędzie się w"


def test_a_declaration_that_the_bytes_contradict_is_not_believed() -> None:
    for declared, encoding in [
        ("utf-8", "gb18030"),
        ("big5", "utf-8"),
        ("iso-8859-1", "gb18030"),
        ("nonsense", "cp932"),
    ]:
        text = f'<meta charset="{declared}"><p>' + (JAPANESE if encoding == "cp932" else SIMPLIFIED)
        assert decode(text.encode(encoding)) == text
    assert decode(SIMPLIFIED.encode("utf-16"), "big5") == SIMPLIFIED


@pytest.mark.parametrize("name", ["unicode_escape", "idna", "punycode", "rot13", "hex", "zlib", "", "\0", "x" * 1000])
def test_names_that_are_no_character_sets(name: str) -> None:
    assert decode_as(b"abc\xff", name) is None


def test_long_texts_take_no_longer_than_they_must() -> None:
    for text, encoding in [
        (SIMPLIFIED + "\n", "gb18030"),
        (SIMPLIFIED, "gb18030"),
        (RUSSIAN + "\n", "cp866"),
        (ENGLISH, "utf-16-le"),
    ]:
        long = text * (4_000_000 // len(text.encode(encoding)))
        start = time.perf_counter()
        assert decode(long.encode(encoding)) == long
        assert time.perf_counter() - start < 60  # about 0.3 s


def test_a_text_whose_first_megabyte_is_ascii() -> None:
    text = (ENGLISH + "\n") * 25_000 + SIMPLIFIED

    assert decode(text.encode("gb18030")) == text


def test_bytes_that_are_no_text() -> None:
    source = random.Random(5)
    for size in (64, 200, 1000, 100_000):
        assert decode(source.randbytes(size)) is None
