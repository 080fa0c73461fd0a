"""The network as fetching sees it: public addresses only, and one deadline for all that is done.

Plugs into httpcore2, which writes and reads HTTP on whatever streams it is given.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from httpcore2 import SOCKET_OPTION, NetworkBackend, NetworkStream, WriteError

from searchsite.documents.problems import Problem

# Beside what `is_global` leaves out, which depends on the patch release of Python.
NOT_PUBLIC = tuple(
    map(
        ip_network,
        [
            "100.64.0.0/10",  # shared by the customers of a provider; some clouds keep their secrets here
            "168.63.129.16/32",  # what a machine in Azure asks about itself
            "192.0.0.0/24",  # protocols; what a machine in Oracle's cloud asks about itself
            "192.88.99.0/24",  # relays of 6to4
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved
            "2001::/23",  # protocols, Teredo among them: ends at an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: ends at an IPv4 address
            "3fff::/20",  # documentation
        ],
    )
)
UNICAST = ip_network("2000::/3")  # all of IPv6 that is given out to the public
NAT64 = ip_network("64:ff9b::/96")  # how networks without IPv4 reach it; the last 32 bits are the address

# (family, type, protocol, canonical name, address), as getaddrinfo gives it
Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


def may_be_asked(address: str) -> bool:
    """Whether an IP address is public, or lies in one of SEARCHSITE_FETCH_NETWORKS."""
    reached = _reached(ip_address(address))
    if any(reached in network for network in settings.SEARCHSITE_FETCH_NETWORKS):
        return True
    special = reached.version == 6 and reached not in UNICAST
    return reached.is_global and not special and not any(reached in network for network in NOT_PUBLIC)


def _reached(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Where packets to the address go in the end: an IPv4 address where IPv6 only wraps one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class Stream(NetworkStream):
    """A connection. Whatever is still to do when the deadline (monotonic seconds) comes raises TimeoutError."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # Each read is given what is left and no more: a byte now and then wins no time.
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            self._connection.settimeout(_left(self._deadline))
            try:
                rest = rest[self._connection.send(rest) :]
            except TimeoutError:
                raise
            except OSError as error:
                # httpcore2 passes over this one: the server may have answered before it closed.
                raise WriteError(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Stream":
        try:
            self._connection.settimeout(_left(self._deadline))
            return Stream(ssl_context.wrap_socket(self._connection, server_hostname=server_hostname), self._deadline)
        except BaseException:
            self.close()
            raise


class Backend(NetworkBackend):
    """Opens connections to hosts whose every address may be asked, until the deadline (monotonic seconds)."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> Stream:
        """Raises Problem("fetch_private"), and OSError: socket.gaierror, TimeoutError and others."""
        found = _resolve(host, port, _left(self._deadline))
        # One bad address spoils the host: no honest one mixes public and private, and whoever answers with both waits
        # for the public one to fail.
        if not all(may_be_asked(address[0]) for *_rest, address in found):
            raise Problem("fetch_private", host=host)
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for position, one in enumerate(found):
            try:
                # To the checked address itself: asking for the name once more could give another one. The time is
                # shared, so that a first address that is silent leaves some to the next.
                connection = _connect(one, _left(self._deadline) / (len(found) - position))
                return Stream(connection, self._deadline)
            except OSError as error:
                failure = error
        raise failure


def _resolve(host: str, port: int, seconds: float) -> Sequence[Found]:
    """All addresses of a host. Raises TimeoutError, socket.gaierror.

    getaddrinfo knows no time limit, so it is asked in a thread, which is left behind when it takes too long: the
    resolver gives up by itself some time later.
    """
    answers: queue.SimpleQueue[Sequence[Found] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _connect(found: Found, seconds: float) -> socket.socket:
    family, kind, protocol, _name, address = found
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
