"""Why no connection with OpenFGA came about, in words that say what to do."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp

_EXPIRED, _NOT_YET_VALID = 10, 9
_ANOTHER_HOST = (62, 64)
"""Of a name, of an address. All by OpenSSL: https://docs.openssl.org/3.0/man1/openssl-verification-options/"""


def told(error: Exception, ca: Path | None) -> str:
    """Say what is wrong, and what to do where it is TLS. `ca`: the file whose CA is trusted; None: the system's CAs."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as reason):
            return f"certificate verify failed: {reason.verify_message}; {_advice(reason.verify_code, ca)}"
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError(reason="WRONG_VERSION_NUMBER")):
            return "it doesn't speak TLS; write http://, or start OpenFGA with --http-tls-enabled"
        case ssl.SSLError():
            return f"{ca}: {error.reason or error}; this file must hold the certificate of a CA, as PEM"
    return str(error) or type(error).__name__


def _advice(code: int, ca: Path | None) -> str:
    if code == _EXPIRED:
        return "give OpenFGA a new certificate (--http-tls-cert)"
    if code == _NOT_YET_VALID:
        return "are the clocks right, here and where it was signed?"
    if code in _ANOTHER_HOST:
        return "write the host as OpenFGA's certificate names it"
    if ca is None:
        return "name the CA that signed OpenFGA's certificate: ?ca=FILE"
    return f"is the CA in {ca} the one that signed OpenFGA's certificate?"
