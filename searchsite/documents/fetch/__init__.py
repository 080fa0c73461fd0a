"""A page or file from an address on the web, of a stranger: where it lies, how long and how large it is are bounded."""

import errno
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop as _  # said when it is read: problems are kept in no language

from searchsite.documents.extract.kinds import KIND_OF_EXTENSION, TEXTUAL
from searchsite.documents.extract.text import decode
from searchsite.documents.fetch.names import content_type, file_name
from searchsite.documents.fetch.url import check_url, host_of
from searchsite.documents.problems import Problem, megabytes

if TYPE_CHECKING:
    from httpcore2 import Response

__all__ = ["Fetched", "check_url", "fetch"]

MOST_REDIRECTS = 5
REDIRECT = (301, 302, 303, 307, 308)
USER_AGENT = "searchsite/0.1 (+document fetcher)"
ACCEPT = "text/html, application/xhtml+xml, application/pdf, text/*, */*;q=0.8"
# 32 + 15: zlib's window, and a header of gzip or zlib that it tells apart; some send deflate without a header.
WITH_HEADER, WITHOUT_HEADER = 47, -15
WINDOWS = {"gzip": (WITH_HEADER,), "x-gzip": (WITH_HEADER,), "deflate": (WITH_HEADER, WITHOUT_HEADER)}
NO_SUCH_HOST = (socket.EAI_NONAME, socket.EAI_NODATA)


@dataclass(frozen=True)
class Fetched:
    """A file from the web: its content (text in UTF-8 where the server told its character set), a safe name with an
    ending that fits, and the address where it was found in the end."""

    data: bytes
    name: str
    url: str


def fetch(url: str) -> Fetched:
    """Fetch what is at an http or https address, following redirects.

    Raises Problem: "unusable_address", "fetch_private", "fetch_unknown_host", "fetch_failed", "fetch_slow",
    "fetch_redirects", "fetch_status", "fetch_type", "fetch_too_large", "empty_file".
    """
    deadline = time.monotonic() + settings.SEARCHSITE_FETCH_SECONDS
    url = check_url(url)
    for _hop in range(MOST_REDIRECTS + 1):
        answer = _ask(url, deadline)
        if isinstance(answer, Fetched):
            return answer
        url = _redirected(url, answer)
    raise Problem("fetch_redirects", limit=MOST_REDIRECTS)


def _redirected(url: str, location: str) -> str:
    """Where a redirect leads. From https to http is followed, too: nothing secret is sent, and what comes is trusted
    no more for having come over TLS."""
    try:
        return check_url(urljoin(url, location))
    except (Problem, ValueError) as error:
        detail = _("it leads to something that is no address of a page")
        raise Problem("fetch_failed", host=host_of(url), detail=detail) from error


def _ask(url: str, deadline: float) -> Fetched | str:
    """What is at the address, or where that redirects to. deadline: monotonic seconds."""
    # Imported with the first address, so that starting Django does not pay for it.
    from httpcore2 import ConnectionPool, NetworkError, ProtocolError

    from searchsite.documents.fetch.network import Backend

    headers = [
        ("Host", urlsplit(url).netloc),
        ("User-Agent", USER_AGENT),
        ("Accept", ACCEPT),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
    try:
        with (
            ConnectionPool(network_backend=Backend(deadline)) as pool,
            pool.stream("GET", url, headers=headers) as response,
        ):
            return _answer(url, response)
    except (OSError, NetworkError, ProtocolError) as error:
        raise _problem(error, host_of(url)) from error


def _answer(url: str, response: "Response") -> Fetched | str:
    """As `_ask`; the body is read only once the headers have been found good."""
    headers = {name.decode("ascii").lower(): _header(value) for name, value in response.headers}
    if response.status in REDIRECT and headers.get("location"):
        return headers["location"]
    if response.status != 200:
        raise Problem("fetch_status", host=host_of(url), status=response.status)
    name = file_name(url, headers)
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", *WINDOWS):
        raise Problem("fetch_failed", host=host_of(url), detail=_("it sends what is packed in an unknown way"))
    limit = settings.SEARCHSITE_MAX_FILE_MB * 2**20
    if int(headers.get("content-length", "0")) > limit:
        raise _too_large(limit)
    data = _gather(response.iter_stream(), limit)
    if encoding in WINDOWS and data:
        data = _unpack(data, WINDOWS[encoding], limit, host_of(url))
    if not data:
        raise Problem("empty_file")
    return Fetched(_in_utf8(data, name, headers), name, url)


def _header(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _gather(chunks: Iterable[bytes], limit: int) -> bytes:
    """All chunks in one. Raises Problem("fetch_too_large") with the first that goes beyond the limit in bytes."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def _unpack(data: bytes, windows: tuple[int, ...], limit: int, host: str) -> bytes:
    """What was compressed. Raises Problem: "fetch_too_large", "fetch_failed"."""
    for window in windows:
        inflate = zlib.decompressobj(window)
        try:
            # One byte more than is allowed tells a bomb, and is all of it that is ever unpacked.
            unpacked = inflate.decompress(data, limit + 1)
        except zlib.error:
            continue
        if len(unpacked) > limit:
            raise _too_large(limit)
        if inflate.eof and not inflate.unused_data.strip(b"\0"):
            return unpacked
    raise Problem("fetch_failed", host=host, detail=_("what it sent is damaged"))


def _in_utf8(data: bytes, name: str, headers: Mapping[str, str]) -> bytes:
    """Text whose character set only the headers tell, so that its readers need not guess; all else as it is."""
    charset = content_type(headers)[1]
    if not charset or KIND_OF_EXTENSION.get(f".{name.rpartition('.')[2].lower()}") not in TEXTUAL:
        return data
    text = decode(data, charset)
    return data if text is None else text.encode("utf-8", "ignore")


def _too_large(limit: int) -> Problem:
    return Problem("fetch_too_large", limit=megabytes(limit))


def _problem(error: Exception, host: str) -> Problem:
    """An error of the network in words; those of the libraries hold addresses and names of files."""
    from httpcore2 import ProtocolError

    # With a number it is the system's own time-out, which is another one than ours.
    if isinstance(error, TimeoutError) and error.errno is None:
        return Problem("fetch_slow", host=host, limit=settings.SEARCHSITE_FETCH_SECONDS)
    if isinstance(error, socket.gaierror):
        if error.errno in NO_SUCH_HOST:
            return Problem("fetch_unknown_host", host=host)
        detail = _("its name could not be looked up")
    elif isinstance(error, ssl.SSLCertVerificationError):
        detail = _("its certificate is not valid or not trusted")
    elif isinstance(error, ssl.SSLError):
        detail = _("no secure connection could be made")
    elif isinstance(error, ConnectionRefusedError):
        detail = _("it refuses connections")
    elif isinstance(error, ProtocolError):
        detail = _("its answer is broken off or no HTTP")
    elif isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        detail = _("no way leads there")
    else:
        detail = _("the connection broke")
    return Problem("fetch_failed", host=host, detail=detail)
