"""Fetching an address: what comes in, what is refused in words, and how little a hostile server can do."""

from __future__ import annotations

import errno
import gzip
import shutil
import socket
import string
import threading
import tracemalloc
import zlib
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.utils import translation

from searchsite.documents.extract import Limits, extract
from searchsite.documents.fetch import check_url, fetch
from searchsite.documents.problems import MESSAGES, Problem
from tests.documents.web_server import GIVES_UP, Names, Server, redirect, reply, self_signed, serving

MB = 2**20
PAGE = b"<!doctype html><title>Tides</title><p>The moon pulls the sea.</p>"
LIMITS = Limits(max_bytes=MB, max_pages=100, max_characters=100_000)


@pytest.fixture(autouse=True)
def names(settings, monkeypatch: pytest.MonkeyPatch) -> Names:
    """The web of the tests: this computer, of which 127.0.0.1 counts as public, under some names."""
    settings.SEARCHSITE_FETCH_NETWORKS = [ip_network("127.0.0.1/32")]
    settings.SEARCHSITE_FETCH_SECONDS = GIVES_UP * 2
    settings.SEARCHSITE_MAX_FILE_MB = 1
    found = Names()
    for name in ("public.example", "other.example", "xn--fsqu00a.example"):
        found.set(name, ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


def refusal(url: str, names_host: str = "public.example") -> Problem:
    """Why the address is refused. A sentence that has room for the host names it."""
    with pytest.raises(Problem) as caught, translation.override("en"):
        fetch(url)
    problem = caught.value
    with translation.override("en"):
        said, message = str(problem), str(MESSAGES[problem.code])
    assert said != str(MESSAGES["internal"])
    fields = {field for _, field, *_ in string.Formatter().parse(message.replace("%(", "{").replace(")s", "}"))}
    assert "host" not in fields or names_host in said
    return problem


# What comes in


def test_a_page_is_fetched_with_a_name_and_its_address() -> None:
    with serving(reply(PAGE)) as web:
        fetched = fetch(web.url("/ocean/tides?lang=en#moon"))

    assert (fetched.data, fetched.name, fetched.url) == (PAGE, "tides.html", web.url("/ocean/tides?lang=en"))
    assert extract(fetched.data, fetched.name, LIMITS).title == "Tides"


def test_the_request_says_who_asks_and_carries_nothing_else(monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")

    with serving({"/": redirect("/b"), "/b": reply(PAGE, set_cookie="a=b")}) as web:
        fetch(web.url())

    assert {*web.requests[1].headers} == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert web.requests[1].headers["host"] == f"public.example:{web.port}"
    assert web.requests[1].headers["user-agent"].startswith("searchsite/")


def test_redirects_lead_to_another_host_and_the_last_address_is_told() -> None:
    with (
        serving({"/new/": reply(PAGE), "/relative": redirect("/new/", "301 Moved")}) as there,
        serving(redirect(there.url("/relative", "other.example"), "307 Temporary")) as here,
    ):
        fetched = fetch(here.url())

    assert (fetched.data, fetched.url) == (PAGE, there.url("/new/", "other.example"))


def test_a_chinese_path_and_host_are_asked_for_in_ascii() -> None:
    with serving(reply(PAGE)) as web:
        fetched = fetch(f"http://例子.example:{web.port}/文档/潮汐 一.html?问=月")

    assert web.requests[0].path == "/%E6%96%87%E6%A1%A3/%E6%BD%AE%E6%B1%90%20%E4%B8%80.html?%E9%97%AE=%E6%9C%88"
    assert web.requests[0].headers["host"] == f"xn--fsqu00a.example:{web.port}"
    assert fetched.name == "潮汐 一.html"


@pytest.mark.parametrize(
    ("charset", "text"),
    [("GBK", "月亮"), ("big5", "月亮"), ("windows-1251", "Луна"), ("Shift_JIS", "月の満ち欠け"), ("utf-16-le", "Moon")],
)
def test_a_character_set_told_only_in_the_header_is_kept(charset: str, text: str) -> None:
    page = f"<!doctype html><title>{text}</title><p>{text}"
    with serving(reply(page.encode(charset), content_type=f'text/html; charset="{charset}"')) as web:
        fetched = fetch(web.url())

    assert fetched.data.decode("utf-8") == page
    assert extract(fetched.data, fetched.name, LIMITS).title == text


def test_a_character_set_that_the_content_belies_is_not_believed() -> None:
    with serving(reply("Ebbe – Flut – Мо́ре – 潮".encode(), content_type="text/plain; charset=iso-8859-1")) as web:
        assert fetch(web.url("/a.txt")).data.decode() == "Ebbe – Flut – Мо́ре – 潮"


def test_a_file_that_is_no_text_is_left_as_it_is() -> None:
    data = b"%PDF-1.4\n\xe9\xff"
    with serving(reply(data, content_type="application/pdf; charset=iso-8859-1")) as web:
        assert fetch(web.url()).data == data


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PAGE, mtime=0)),
        ("x-gzip", gzip.compress(PAGE, mtime=0) + b"\0\0"),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", zlib.compress(PAGE, wbits=-15)),
        ("identity", PAGE),
    ],
)
def test_what_is_compressed_without_being_asked_for_is_unpacked(encoding: str, packed: bytes) -> None:
    with serving(reply(packed, content_encoding=encoding)) as web:
        assert fetch(web.url()).data == PAGE
        assert web.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/", {}, "public.example.html"),
        ("/guide/", {}, "guide.html"),
        ("/index.php?id=3", {}, "index.php.html"),
        ("/page.HTM", {}, "page.HTM"),
        ("/report.pdf", {}, "report.pdf.html"),
        ("/Node.js", {}, "Node.js.html"),
        ("/%2e%2e/%2e%2e%2fpasswd", {}, "passwd.html"),
        ("/%ff", {}, "%ff.html"),
        ("/get", {"content_type": "application/pdf"}, "get.pdf"),
        ("/a.pdf", {"content_type": "application/pdf"}, "a.pdf"),
        ("/a.md", {"content_type": "text/plain; charset=utf-8"}, "a.md"),
        ("/a.py", {"content_type": "text/x-python"}, "a.py"),
        ("/LICENSE", {"content_type": "text/plain"}, "LICENSE.txt"),
        ("/v1.2", {"content_type": "TEXT/MARKDOWN"}, "v1.2.md"),
        ("/rows", {"content_type": "text/csv"}, "rows.csv"),
        ("/rows", {"content_type": "application/x-ndjson"}, "rows.jsonl"),
        ("/rows.jsonl", {"content_type": "application/json"}, "rows.jsonl"),
        ("/api/feed", {"content_type": "application/atom+xml"}, "feed.xml"),
        ("/a.docx", {"content_type": "application/zip"}, "a.docx"),
        ("/a.docx", {"content_type": "application/octet-stream"}, "a.docx"),
        ("/a.docx", {"content_type": ""}, "a.docx"),
        ("/a", {"content_type": ""}, "a"),
        ("/x", {"content_disposition": 'attachment; filename="tides.html"'}, "tides.html"),
        ("/x", {"content_disposition": "attachment; filename*=UTF-8''%E6%BD%AE.html; filename=a"}, "潮.html"),
        ("/x", {"content_disposition": 'attachment; filename="潮汐.html"'}, "潮汐.html"),
        ("/x", {"content_disposition": 'attachment; filename="../../etc/passwd"'}, "passwd.html"),
        ("/x", {"content_disposition": 'attachment; filename=".."'}, "x.html"),
        ("/x", {"content_disposition": f"attachment; filename*{'9' * 5000}*=a"}, "x.html"),
        ("/x", {"content_disposition": f"attachment; filename={'a' * 300}.html"}, f"{'a' * 195}.html"),
    ],
)
def test_the_name_fits_the_content(path: str, headers: dict[str, str], name: str) -> None:
    with serving(reply(PAGE, **headers)) as web:
        assert fetch(web.url(path)).name == name


def test_a_host_in_another_script_names_its_first_page() -> None:
    with serving(reply(PAGE)) as web:
        assert fetch(f"http://例子.example:{web.port}").name == "例子.example.html"


# What is no address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("  http://a.example \n", "http://a.example/"),
        ("HTTPS://A.Example:8443/B?C#d", "https://a.example:8443/B?C"),
        ("http://a.example./", "http://a.example/"),
        ("http://例子.测试/100%/50%25?a=b c&d=[1]", "http://xn--fsqu00a.xn--0zwm56d/100%25/50%25?a=b%20c&d=%5B1%5D"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("http://１２７。0.0.1/", "http://127.0.0.1/"),
        ("http://[::FFFF:7f00:0001]:80/", "http://[::ffff:7f00:1]:80/"),
        (f"http://a.example/{'a' * 1983}", f"http://a.example/{'a' * 1983}"),
    ],
)
def test_an_address_is_cleaned(written: str, meant: str) -> None:
    assert check_url(written) == meant
    assert check_url(meant) == meant


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/page",
        "//a.example/",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://a.example/",
        "gopher://a.example/",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://user:secret@a.example/",
        "http://user@a.example/",
        "http://public.example\\@a.example/",
        "http://a.exa\nmple/",
        "http://a.example/\tb",
        "http://a b.example/",
        "http://a..example/",
        "http://☃.example/",
        f"http://{'a' * 64}.example/",
        "http://a.example:0/",
        "http://a.example:65536/",
        "http://a.example:port/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://a.example/\ud800",
        f"http://a.example/{'a' * 1984}",
        f"http://a.example/{'潮' * 300}",
    ],
)
def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    assert refusal(url).code == "unusable_address"


# Where nothing is fetched from


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "１２７.0.0.1",
        "0.0.0.0",
        "0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::8.8.8.8]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[2002:a00:1::1]",
        "[3fff::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff0e::1]",
    ],
)
def test_what_is_no_public_address_is_refused_however_it_is_spelled(host: str, settings, monkeypatch) -> None:
    settings.SEARCHSITE_FETCH_NETWORKS = []
    monkeypatch.setattr(socket, "socket", _no_socket)

    assert refusal(f"http://{host}/", names_host="").code == "fetch_private"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_are_asked(address: str) -> None:
    from searchsite.documents.fetch.network import may_be_asked

    assert may_be_asked(address)


def test_a_network_of_the_settings_is_asked_under_each_spelling_and_its_neighbour_is_not(settings) -> None:
    settings.SEARCHSITE_FETCH_NETWORKS = [ip_network("127.0.0.1/32"), ip_network("fd00::/64")]

    with serving(reply(PAGE)) as web:
        assert fetch(web.url(host="2130706433")).data == PAGE
        assert refusal(web.url(host="127.0.0.2"), "127.0.0.2").code == "fetch_private"
        assert refusal(web.url(host="[fd00:0:0:1::1]"), "fd00:0:0:1::1").code == "fetch_private"


@pytest.mark.parametrize("private", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "intern.example"])
def test_a_redirect_to_a_private_address_is_refused(private: str, names: Names) -> None:
    names.set("intern.example", ["192.168.7.7"])

    def lead_on(server: Server, connection: socket.socket, request) -> None:
        redirect(server.url("/secret", private))(server, connection, request)

    with serving(lead_on) as web:
        problem = refusal(web.url(), private.strip("[]"))

        assert problem.code == "fetch_private"
        assert [request.path for request in web.requests] == ["/"]


def test_a_name_that_changes_its_address_is_looked_up_once(names: Names) -> None:
    names.set("public.example", ["127.0.0.1"], ["127.0.0.2"])

    with serving(reply(PAGE)) as web:
        assert fetch(web.url()).data == PAGE
        assert names.asked == ["public.example"]
        assert [request.came_to for request in web.requests] == ["127.0.0.1"]

        assert refusal(web.url()).code == "fetch_private"
        assert len(web.requests) == 1


def test_a_name_that_changes_its_address_during_a_redirect_is_refused(names: Names) -> None:
    names.set("public.example", ["127.0.0.1"], ["127.0.0.2"])

    with serving({"/": redirect("/secret")}) as web:
        assert refusal(web.url()).code == "fetch_private"
        assert [request.path for request in web.requests] == ["/"]


@pytest.mark.parametrize("addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "::1"]])
def test_one_private_address_among_others_spoils_the_host(addresses: list[str], names: Names) -> None:
    names.set("public.example", addresses)

    with serving(reply(PAGE)) as web:
        assert refusal(web.url()).code == "fetch_private"
        assert not web.requests


def test_an_address_that_does_not_answer_gives_way_to_the_next(names: Names, settings) -> None:
    settings.SEARCHSITE_FETCH_NETWORKS.append(ip_network("::1/128"))
    names.set("public.example", ["::1", "127.0.0.1"])

    with serving(reply(PAGE)) as web:  # listens on IPv4 alone
        assert fetch(web.url()).data == PAGE


# How long, how much


@pytest.fixture
def hurry(settings) -> None:
    settings.SEARCHSITE_FETCH_SECONDS = 0.4


def drip_headers(server: Server, connection: socket.socket, request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Slow: ")
    server.drip(connection, b"a")


def drip_continue(server: Server, connection: socket.socket, request) -> None:
    server.drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n")


def drip_body(server: Server, connection: socket.socket, request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    server.drip(connection, b"a")


def drip_redirects(server: Server, connection: socket.socket, request) -> None:
    server.stopped.wait(0.15)
    redirect(request.path + "a")(server, connection, request)


def say_nothing(server: Server, connection: socket.socket, request) -> None:
    server.stopped.wait(GIVES_UP)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("answer", [drip_headers, drip_continue, drip_body, drip_redirects, say_nothing])
def test_a_slow_answer_is_given_up(answer) -> None:
    with serving(answer) as web:
        problem = refusal(web.url())

    assert problem.code == "fetch_slow"
    assert "0.4 seconds" in str(problem)


@pytest.mark.usefixtures("hurry")
def test_a_server_that_never_begins_with_tls_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # connections wait, unanswered
        port = listener.getsockname()[1]

        assert refusal(f"https://public.example:{port}/").code == "fetch_slow"


@pytest.mark.usefixtures("hurry")
def test_a_name_server_that_does_not_answer_is_given_up(monkeypatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: answered.wait(GIVES_UP) and [])
    try:
        assert refusal("http://public.example/").code == "fetch_slow"
    finally:
        answered.set()


def endless(server: Server, connection: socket.socket, request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.stopped.is_set():
        connection.sendall(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")


def test_an_endless_body_is_broken_off() -> None:
    with serving(endless) as web:
        problem = refusal(web.url())

    assert problem.code == "fetch_too_large"
    assert "1 MB" in str(problem)


@pytest.mark.parametrize("size", [MB, MB + 1])
def test_a_body_may_be_as_large_as_a_file_and_no_larger(size: int) -> None:
    def unannounced(server: Server, connection: socket.socket, request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"a" * size)

    with serving(unannounced) as web:
        if size == MB:
            assert len(fetch(web.url()).data) == MB
        else:
            assert refusal(web.url()).code == "fetch_too_large"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"length": MB + 1}, "fetch_too_large"),
        ({"length": 9, "content_type": "video/mp4"}, "fetch_type"),
        ({"length": 9, "content_encoding": "br"}, "fetch_failed"),
    ],
)
def test_what_the_headers_rule_out_is_refused_before_its_body_comes(headers: dict, code: str) -> None:
    with serving(reply(b"", **headers)) as web:
        assert refusal(web.url()).code == code


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(bytes(64 * MB), mtime=0)), ("deflate", zlib.compress(bytes(64 * MB)))],
)
def test_a_bomb_is_not_unpacked(encoding: str, packed: bytes) -> None:
    with serving(reply(packed, content_encoding=encoding)) as web:
        tracemalloc.start()
        try:
            assert refusal(web.url()).code == "fetch_too_large"
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most < 8 * MB


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PAGE, mtime=0)[:-9]),
        ("gzip", PAGE),
        ("gzip", gzip.compress(PAGE, mtime=0) + gzip.compress(PAGE, mtime=0)),
        ("deflate", b"\xff\xff"),
        ("gzip, gzip", gzip.compress(gzip.compress(PAGE, mtime=0), mtime=0)),
        ("zstd", PAGE),
    ],
)
def test_what_cannot_be_unpacked_is_refused(encoding: str, packed: bytes) -> None:
    with serving(reply(packed, content_encoding=encoding)) as web:
        assert refusal(web.url()).code == "fetch_failed"


@pytest.mark.parametrize("answer", [reply(b""), reply(gzip.compress(b"", mtime=0), content_encoding="gzip")])
def test_nothing_is_no_file(answer) -> None:
    with serving(answer) as web:
        assert refusal(web.url()).code == "empty_file"


# Where it leads, and what is there


def test_five_redirects_are_followed_and_a_sixth_is_not() -> None:
    def count_down(server: Server, connection: socket.socket, request) -> None:
        left = int(request.path[1:])
        answer = redirect(f"/{left - 1}") if left else reply(PAGE)
        answer(server, connection, request)

    with serving(count_down) as web:
        assert fetch(web.url("/5")).url == web.url("/0")
        assert refusal(web.url("/6")).code == "fetch_redirects"


def test_a_loop_of_redirects_ends() -> None:
    with serving({"/a": redirect("/b"), "/b": redirect("/a")}) as web:
        assert refusal(web.url("/a")).code == "fetch_redirects"
        assert len(web.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://public.example/",
        "http://user:secret@public.example/",
        "http://[::1/",
        "javascript:alert(1)",
        f"/{'a' * 2000}",
    ],
)
def test_a_redirect_to_what_is_no_address_of_a_page_is_refused(location: str) -> None:
    with serving(redirect(location)) as web:
        problem = refusal(web.url())

    assert problem.code == "fetch_failed"
    assert "no address of a page" in str(problem)


@pytest.mark.parametrize(
    "status", ["404 Not Found", "401 Unauthorized", "204 No Content", "500 Oh", "302 Found", "304 Not Modified"]
)
def test_any_other_status_is_told(status: str) -> None:
    with serving(reply(PAGE if status[0] in "45" else b"", status)) as web:
        problem = refusal(web.url())

    assert problem.code == "fetch_status"
    assert f"status {status[:3]} " in str(problem)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/a.mp4", "video/mp4"),
        ("/a.pdf", "audio/mpeg"),
        ("/a.zip", "application/zip"),
        ("/a", "application/octet-stream"),
        ("/a.exe", "application/octet-stream"),
        ("/a", "image/svg+xml"),
        ("/a", "application/x-msdownload"),
    ],
)
def test_what_cannot_be_read_here_is_refused_by_its_type(path: str, media_type: str) -> None:
    with serving(reply(PAGE, content_type=media_type)) as web:
        problem = refusal(web.url(path))

    assert problem.code == "fetch_type"
    assert media_type in str(problem)
    assert "PDF" in str(problem)


def sends(data: bytes):
    return lambda server, connection, request: connection.sendall(data)


@pytest.mark.parametrize(
    "answer",
    [
        sends(b""),
        sends(b"220 mail.example ESMTP\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nTides"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: -9\r\n\r\nTides"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\nTides"),
    ],
)
def test_broken_http_is_refused(answer) -> None:
    with serving(answer) as web:
        assert refusal(web.url()).code == "fetch_failed"


def test_a_host_that_refuses_connections_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    problem = refusal(f"http://public.example:{port}/")
    assert problem.code == "fetch_failed"
    assert "127.0.0.1" not in str(problem)


def test_the_time_limit_of_the_system_is_not_told_as_ours(monkeypatch) -> None:
    from searchsite.documents.fetch import network

    def time_out(*args) -> None:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    monkeypatch.setattr(network, "_connect", time_out)

    assert refusal("http://public.example/").code == "fetch_failed"


def test_a_host_that_there_is_not_is_told() -> None:
    assert refusal("http://nowhere.example/", "nowhere.example").code == "fetch_unknown_host"


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command, to make a certificate")
    return self_signed(tmp_path, "public.example")


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with serving(reply(PAGE), certificate) as web:
        problem = refusal(web.url(scheme="https"))

        assert problem.code == "fetch_failed"
        assert "certificate" in str(problem)
        assert not web.requests


def test_the_certificate_is_held_against_the_name_not_the_address(certificate: Path, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serving(reply(PAGE), certificate) as web:
        assert fetch(web.url(scheme="https")).data == PAGE
        assert refusal(web.url(host="other.example", scheme="https"), "other.example").code == "fetch_failed"
        assert refusal(web.url(host="127.0.0.1", scheme="https"), "127.0.0.1").code == "fetch_failed"


def test_a_server_without_tls_is_told() -> None:
    with serving(reply(PAGE)) as web:
        assert refusal(web.url(scheme="https")).code == "fetch_failed"


def _no_socket(*args, **options):
    raise AssertionError("a connection was begun")
