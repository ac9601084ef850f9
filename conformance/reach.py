"""Why a target can't be spoken to: what a look with plain sockets finds where gRPC says no more than that it failed."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.address import Address

LOOK_SECONDS = 2.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
"""What a client of HTTP/2 says first: the preface, and a SETTINGS frame without settings (RFC 9113, 3.4)."""
_FRAME_HEAD = 9
_SETTINGS, _GOAWAY = 4, 7
_TLS_ALERT = b"\x15\x03"


@dataclass(frozen=True)
class Finding:
    """What keeps gRPC from being spoken. `final`: waiting doesn't change it."""

    text: str
    final: bool = False


@contextmanager
def connected(address: Address, seconds: float) -> Iterator[socket.socket]:
    """Open a plain connection to an address; everything on it waits at most so long. Raises OSError."""
    if address.name.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(seconds)
            plain.connect(address.name.removeprefix("unix:"))
            yield plain
        return
    host, port = _host_and_port(address)
    with socket.create_connection((host, port), timeout=seconds) as plain:
        yield plain


def _host_and_port(address: Address) -> tuple[str, int]:
    host, _, port = address.name.rpartition(":")
    return host.strip("[]"), int(port)


def why_unreachable(address: Address) -> Finding:
    """Look at what is at an address."""
    try:
        with connected(address, LOOK_SECONDS) as plain:
            return _behind_tls(address, plain) if address.secure else _plain(plain, address)
    except socket.gaierror as error:
        return Finding(f"the host is unknown ({error.strerror})", final=True)
    except ConnectionRefusedError:
        return Finding("nothing listens there: the connection is refused", final=True)
    except FileNotFoundError:
        return Finding("there is no such socket", final=True)
    except TimeoutError:
        return Finding(f"no connection within {LOOK_SECONDS:g} s: the host doesn't answer, or a firewall drops it")
    except OSError as error:
        return Finding(error.strerror or str(error))


def _plain(plain: socket.socket, address: Address) -> Finding:
    """Say what answers to the first words of HTTP/2."""
    said = _said(plain)
    if said.startswith(b"HTTP/1"):
        return Finding("it answers in HTTP/1, not gRPC: is it the port of a web server?", final=True)
    if said.startswith(_TLS_ALERT) or (not said and _shakes_hands(address)):
        return Finding(f"it expects TLS; write grpcs://{address.name}", final=True)
    if len(said) >= _FRAME_HEAD and said[3] in {_SETTINGS, _GOAWAY}:
        return Finding("it speaks HTTP/2, and no gRPC call got through")
    if said:
        return Finding(f"it answers, but not in HTTP/2 (it says {said[:16]!r})", final=True)
    return Finding("it accepts connections and says nothing, so it is no gRPC server, or one that hangs")


def _said(plain: socket.socket) -> bytes:
    """Say HTTP/2's first words; return what comes back, nothing where it is silent or hangs up."""
    with contextlib.suppress(OSError):
        plain.sendall(_PREFACE)
        return plain.recv(64)
    return b""


def _shakes_hands(address: Address) -> bool:
    """Whether a TLS handshake succeeds, whoever is there."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError), connected(address, LOOK_SECONDS) as plain, context.wrap_socket(plain):
        return True
    return False


def _behind_tls(address: Address, plain: socket.socket) -> Finding:
    """Say how a TLS handshake with the target's files ends."""
    try:
        context = ssl.create_default_context(cafile=str(address.ca) if address.ca else None)
        context.set_alpn_protocols(["h2"])
        if address.cert is not None:
            context.load_cert_chain(address.cert, address.key)
    except OSError as error:
        return Finding(f"its TLS files can't be used: {error}", final=True)
    try:
        with context.wrap_socket(plain, server_hostname=_host_and_port(address)[0]) as secure:
            return _after_handshake(secure, address)
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        return Finding(f"its certificate isn't trusted ({why}); ?ca=FILE names its authority", final=True)
    except OSError as error:
        return _broken_handshake(address, str(getattr(error, "reason", "") or ""))


def _after_handshake(secure: ssl.SSLSocket, address: Address) -> Finding:
    if secure.selected_alpn_protocol() != "h2":
        return Finding("it speaks TLS, but no HTTP/2 behind it", final=True)
    if _said(secure):
        return Finding("it speaks TLS and HTTP/2, and no gRPC call got through")
    asked = "may not trust your" if address.cert else "may ask for a"
    told = f"it hangs up after the TLS handshake: it {asked} client certificate (?cert=FILE&key=FILE)"
    return Finding(told, final=True)


def _broken_handshake(address: Address, reason: str) -> Finding:
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason or "BAD_CERTIFICATE" in reason:
        return Finding("it asks for a client certificate; ?cert=FILE&key=FILE names yours", final=True)
    with contextlib.suppress(OSError), connected(address, LOOK_SECONDS) as plain:
        if said := _said(plain):
            kind = "HTTP/1" if said.startswith(b"HTTP/1") else "plain text"
            return Finding(f"there is no TLS: it speaks {kind}; write grpc://{address.name}", final=True)
    return Finding(f"the TLS handshake broke off{f' ({reason})' if reason else ''}")
