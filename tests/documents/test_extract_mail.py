"""Messages become their headers, their text and what is attached to them."""

from __future__ import annotations

import base64
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchsite.documents.extract import Extracted, Limits, extract
from searchsite.documents.problems import MESSAGES, Problem
from tests.documents import files, files_mail
from tests.documents.files_mail import BINARY, EIGHT_BIT, INTEGER, TIME, UNICODE

LIMITS = Limits(max_bytes=2_000_000, max_pages=10, max_characters=500_000)
HEAD = "From: Ann Bee <ann@example.org>\nTo: bob@example.org,\n carl@example.org\nSubject: Lunch\n" + (
    "Date: Tue, 05 Mar 2024 10:00:00 +0800\n"
)
SHOWN = "From: Ann Bee <ann@example.org>\nTo: bob@example.org, carl@example.org\nDate: Tue, 05 Mar 2024 10:00:00 +0800"
CHINESE = "高血压患者能吃党参吗？这是一个常见的问题，医生说可以少量食用。"


def read(message: bytes | str, name: str = "a.eml", limits: Limits = LIMITS) -> Extracted:
    return extract(message.encode() if isinstance(message, str) else message, name, limits)


def outline(extracted: Extracted) -> list[tuple[int, str]]:
    for heading in extracted.headings:
        assert extracted.text[heading.offset :].startswith(heading.title)
    return [(heading.level, heading.title) for heading in extracted.headings]


def multipart(kind: str, *parts: str, boundary: str = "B") -> str:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


def attached(name: str, content: bytes) -> str:
    encoded = base64.encodebytes(content).decode()
    return (
        f'Content-Type: application/octet-stream\nContent-Disposition: attachment; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{encoded}"
    )


def test_a_plain_message() -> None:
    extracted = read(HEAD + '\nAT&T <b> "q"\n\nBye')

    assert extracted.text == f'Lunch\n\n{SHOWN}\n\nAT&T <b> "q"\n\nBye'
    assert (extracted.kind, extracted.title, extracted.author) == ("eml", "Lunch", "Ann Bee")
    assert extracted.written == date(2024, 3, 5)
    assert outline(extracted) == [(1, "Lunch")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312"])
@pytest.mark.parametrize("transfer", ["base64", "8bit"])
@pytest.mark.parametrize("claimed", ["utf-8", "gb2312", "us-ascii", "nonsense", ""])
def test_the_character_set_is_found_whatever_is_claimed(encoding: str, transfer: str, claimed: str) -> None:
    content = CHINESE.encode(encoding)
    body = base64.encodebytes(content) if transfer == "base64" else content
    charset = f"; charset={claimed}" if claimed else ""
    head = f"Subject: x\nContent-Type: text/plain{charset}\nContent-Transfer-Encoding: {transfer}\n\n"

    assert read(head.encode() + body).text == f"x\n\n{CHINESE}"


def test_encoded_headers() -> None:
    name = base64.b64encode("张伟".encode("gbk")).decode()
    head = f"From: =?gb2312?B?{name}?= <z@example.org>\nSubject: =?utf-8?Q?Caf=C3=A9_&?=\n =?utf-8?Q?_tea?= today\n"

    extracted = read(head + "\ntext")

    assert (extracted.title, extracted.author) == ("Café & tea today", "张伟")


def test_headers_with_bytes_beyond_ascii() -> None:
    assert read("Subject: déjà vu\n\ntext".encode("latin-1")).title == "déjà vu"
    assert read("Subject: 会议纪要\n\ntext".encode("gb18030")).title == "会议纪要"


def test_quoted_printable_html() -> None:
    head = "Subject: x\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"

    extracted = read(head + "<style>p {=7D</style><h2>Caf=C3=A9</h2><p>one &amp; =\ntwo")

    assert extracted.text == "x\n\nCafé\n\none & two"


def test_of_alternatives_the_plain_text_is_read_and_every_file() -> None:
    plain, rich = "Content-Type: text/plain\n\nplain", "Content-Type: text/html\n\n<p>rich"
    inner = multipart("mixed", rich, attached("notes.md", b"# Notes\n\nHello"), boundary="C")

    assert read(HEAD + multipart("alternative", plain, inner)).text == (
        f"Lunch\n\n{SHOWN}\n\nplain\n\nnotes.md\n\nNotes\n\nHello"
    )
    empty = plain.removesuffix("plain")
    assert read("Subject: x\n" + multipart("alternative", empty, rich)).text == "x\n\nrich"


def test_html_that_says_much_more_than_the_plain_text_is_read() -> None:
    stub = "Content-Type: text/plain\n\nYour mail program cannot show HTML."
    page = "Content-Type: text/html\n\n<title>no</title><style>p {}</style><p>" + "A <b>real</b> &amp; long text. " * 5
    related = multipart("related", page, "Content-Type: image/png\n\nx", boundary="C")
    shown = " ".join(["A real & long text."] * 5)

    for rich in (page, related):
        assert read("Subject: x\n" + multipart("alternative", stub, rich)).text == f"x\n\n{shown}"
    short = f"Content-Type: text/html\n\n<p>{'Not twice as long as that. ' * 2}"
    assert read("Subject: x\n" + multipart("alternative", stub, short)).text.endswith("cannot show HTML.")
    deep = f"Content-Type: text/html\n\n{'<div>' * 5000}x"
    assert read("Subject: x\n" + multipart("alternative", stub, deep)).text.endswith("cannot show HTML.")


def test_files_without_a_name_are_named_after_their_kind() -> None:
    pdf = base64.encodebytes(files.pdf("The plan")).decode()
    head = "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n"
    body = multipart(
        "mixed",
        "Content-Type: text/plain\n\nhello",
        f"{head}Content-Disposition: attachment\n\n{pdf}",
        f"{head}Content-Disposition: inline\n\n{pdf}",
        "Content-Type: x/unknown-kind\n\n\0\1\2",
    )

    extracted = read("Subject: x\n" + body)

    assert extracted.text == ("x\n\nhello\n\nattachment.pdf\n\nThe plan\n\nattachment.pdf\n\nThe plan\n\nattachment")


def test_a_report_of_delivery() -> None:
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\n"
        "Final-Recipient: rfc822; bob@example.org\nDiagnostic-Code: smtp; 550 <no>\n & such user\n"
    )
    body = multipart("report", "Content-Type: text/plain\n\nNot delivered.", status)

    assert read("Subject: x\n" + body).text == (
        "x\n\nNot delivered.\n\nReporting-MTA: dns; a.example\n\n"
        "Final-Recipient: rfc822; bob@example.org\nDiagnostic-Code: smtp; 550 <no> & such user"
    )


def test_a_byte_order_mark_before_the_headers() -> None:
    assert read("\ufeffSubject: x\n\n会议").text == "x\n\n会议"


@pytest.mark.parametrize("name", ["a.mht", "A.MHTML"])
def test_a_page_that_a_browser_saved(name: str) -> None:
    page = base64.encodebytes("<title>A page</title><h1>鸭子 &amp; geese</h1><p>They swim.</p>".encode()).decode()
    body = multipart(
        "related",
        f"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{page}",
        "Content-Type: text/css\nContent-Location: cid:a\n\np { color: red }",
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-Location: a.png\n\niVBORw0KGgo=",
        "Content-Type: text/html\nContent-Location: cid:frame\n\n<p>A frame.",
    )

    extracted = read(f"From: <Saved by Blink>\nSubject: A page\nMIME-Version: 1.0\n{body}", name)

    assert extracted.text == "A page\n\nFrom: <Saved by Blink>\n\n鸭子 & geese\n\nThey swim.\n\nA frame."
    assert (extracted.kind, extracted.title, extracted.author) == ("eml", "A page", "")


def test_many_parts_take_no_longer_than_their_length() -> None:
    start = time.perf_counter()
    for part in ("Content-Type: multipart/mixed; boundary=B\n\n--B\n", "\n--B\n"):
        message = "Subject: x\nContent-Type: multipart/mixed; boundary=B\n\n--B\n" + part * (1_000_000 // len(part))
        assert read(message + "\ntext").text.startswith("x")
    assert time.perf_counter() - start < 60  # 4 s


def test_attachments_are_sections() -> None:
    notes = b"# Notes\n\nHello\n\n```\na  b\n```\n\n## More\n\nend"
    body = multipart(
        "mixed",
        "Content-Type: text/plain\n\nSee the files.",
        attached("notes.md", notes),
        attached("data.bin", bytes(range(256))),
        attached("locked.pdf", files.pdf("Secret", password="tika")),
        attached("plan.pdf", files.pdf("The plan")),
    )

    extracted = read("Subject: x\n" + body)

    assert extracted.text == (
        "x\n\nSee the files.\n\nnotes.md\n\nNotes\n\nHello\n\na  b\n\nMore\n\nend\n\n"
        "data.bin\n\nlocked.pdf\n\nplan.pdf\n\nThe plan"
    )
    assert outline(extracted) == [(1, "x"), (2, "notes.md"), (3, "Notes"), (4, "More"), (2, "plan.pdf")]
    assert [extracted.text[start:end] for start, end in extracted.preformatted] == ["a  b"]


def test_a_message_within_a_message() -> None:
    body = multipart(
        "mixed", "Content-Type: text/plain\n\nouter", "Content-Type: message/rfc822\n\nSubject: In\n\ninner"
    )

    extracted = read("Subject: Out\n" + body)

    assert extracted.text == "Out\n\nouter\n\nIn\n\ninner"
    assert outline(extracted) == [(1, "Out"), (2, "In")]


def test_files_are_read_two_levels_down() -> None:
    message = "Subject: s0\n\ntext 0"
    for depth in range(1, 5):
        message = f"Subject: s{depth}\n" + multipart("mixed", attached(f"m{depth}.eml", message.encode()))

    assert read(message).text == "s4\n\nm4.eml\n\ns3\n\nm3.eml\n\ns2\n\nm2.eml"


def test_fifty_attachments_are_read() -> None:
    many = multipart("mixed", *(attached(f"{n}.txt", b"text of it") for n in range(60)))

    assert read("Subject: x\n" + many).text.count("text of it") == 50
    assert read("Subject: x\n" + many).text.endswith("58.txt\n\n59.txt")


def test_the_limit_of_text_holds_for_all_together() -> None:
    many = multipart("mixed", *(attached(f"{n}.txt", b"word " * 50) for n in range(5)))

    with pytest.raises(Problem) as caught:
        read("Subject: x\n" + many, limits=Limits(2_000_000, 10, 1000))
    assert caught.value.code == "too_much_text"


@pytest.mark.parametrize(
    "message",
    [
        "".join(f'Content-Type: multipart/mixed; boundary="B{n}"\n\n--B{n}\n' for n in range(2000)),
        "Subject: x\nContent-Type: message/rfc822\n\n" * 60,
        "Content-Type: message/rfc822\n\n" * 3000,
    ],
)
def test_deep_nesting_is_refused(message: str) -> None:
    with pytest.raises(Problem) as caught:
        read(message + "text")
    assert caught.value.as_json() == {"code": "nested_too_deep", "params": {"limit": 50}}


def test_broken_messages_are_read_as_far_as_they_go() -> None:
    whole = HEAD + multipart("mixed", "Content-Type: text/plain\n\nhello there", attached("a.txt", b"words " * 9))

    assert read("Subject: only\n").text == "only"
    assert "hello" in read(whole[: whole.index("there")]).text
    assert read("Subject: =?x?B?!!!?=\nFrom: ((((\nDate: ,\nContent-Type: ;;=\n\ntext").text.endswith("text")
    for source in ("no header at all", "\n \n"):
        with pytest.raises(Problem) as caught:
            read(source)
        assert caught.value.code == "not_what_it_says"


# --- Outlook

SUBJECT, SENDER, BODY, HTML, SENT, CODEPAGE = 0x0037, 0x0C1A, 0x1000, 0x1013, 0x0039, 0x3FDE
FILE_NAME, CONTENT, METHOD = 0x3707, 0x3701, 0x3705
TO_2024_03_05 = 133_540_704_000_000_000 - 0  # 100 ns since 1601
MESSAGE: files_mail.Properties = {
    (SUBJECT, UNICODE): "午餐 & more",
    (SENDER, UNICODE): "Ann Bee",
    (0x0C1F, UNICODE): "ann@example.org",
    (BODY, UNICODE): "See <you> there.",
    (SENT, TIME): TO_2024_03_05,
}


def test_a_message_of_outlook() -> None:
    note: files_mail.Properties = {
        (FILE_NAME, UNICODE): "notes.md",
        (CONTENT, BINARY): b"# Notes\n\nHello",
        (METHOD, INTEGER): 1,
    }
    bad: files_mail.Properties = {
        (FILE_NAME, UNICODE): "data.bin",
        (CONTENT, BINARY): bytes(range(256)),
        (METHOD, INTEGER): 1,
    }

    extracted = read(files_mail.msg(MESSAGE, [note, bad]), "a.msg")

    assert extracted.text == (
        '午餐 & more\n\nFrom: "Ann Bee" <ann@example.org>\nDate: 2024-03-05 00:00 UTC\n\nSee <you> there.\n\n'
        "notes.md\n\nNotes\n\nHello\n\ndata.bin"
    )
    assert (extracted.kind, extracted.title, extracted.author) == ("msg", "午餐 & more", "Ann Bee")
    assert extracted.written == date(2024, 3, 5)
    assert outline(extracted) == [(1, "午餐 & more"), (2, "notes.md"), (3, "Notes")]


def test_a_message_of_outlook_in_html_only() -> None:
    content = f"<h2>Title</h2><p>{CHINESE} &amp; more".encode("gb18030")
    properties: files_mail.Properties = {
        (SUBJECT, EIGHT_BIT): b"Plain",
        (HTML, BINARY): content,
        (CODEPAGE, INTEGER): 936,
    }

    extracted = read(files_mail.msg(properties), "a.msg")

    assert extracted.text == f"Plain\n\nTitle\n\n{CHINESE} & more"
    assert read(files_mail.msg({**properties, (CODEPAGE, INTEGER): 65001}), "a.msg").text == extracted.text


def test_a_message_that_speaks_of_encrypted_packages_is_no_file_with_a_password() -> None:
    extracted = read(files_mail.msg({**MESSAGE, (BODY, UNICODE): "EncryptedPackage and EncryptionInfo"}), "a.msg")

    assert extracted.text.endswith("EncryptedPackage and EncryptionInfo")


def test_a_cut_message_of_outlook_is_refused() -> None:
    whole = files_mail.msg(MESSAGE)
    for size in (600, len(whole) // 2, len(whole) - 512):
        with pytest.raises(Problem) as caught:
            read(whole[:size], "a.msg")
        assert caught.value.code in ("damaged", "not_what_it_says")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_message_with_some_bytes_wrong_is_read_or_refused(data: st.DataObject) -> None:
    whole = HEAD + multipart(
        "mixed", 'Content-Type: text/plain; charset="gbk"\n\nhello', attached("a.txt", b"words"), 'A: "b"; c*0*=x\n\nd'
    )
    content, name = data.draw(st.sampled_from([(whole.encode(), "a.eml"), (files_mail.msg(MESSAGE), "a.msg")]))
    spoiled = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        outline(read(bytes(spoiled), name))
    except Problem as problem:
        assert problem.code in MESSAGES  # noqa: PT017
