"""Callers by signed tokens: a JWT whose signature one of the keys of a JWKS file verifies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reference_server.authorization.callers import TokenFileError
from reference_server.authorization.followed_file import FollowedFile
from reference_server.authorization.model import SYSTEM, Caller
from terminal.system_errors import reason_of

# Asymmetric only: with a shared secret, whoever can verify a token could also make one.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
_CLOCK_SKEW_SECONDS = 30


class JwtCallers:
    """Verifies JWTs. A token must name its key (`kid`), its subject (`sub`) and its end (`exp`)."""

    def __init__(self, jwks: Path, issuer: str = "", audience: str = "") -> None:
        try:
            import jwt  # noqa: PLC0415 - an extra
        except ImportError:
            raise TokenFileError(
                "jwt_jwks: the package PyJWT is missing; install the extra: pip install 'agent-parity[jwt]'"
            ) from None
        self._jwt: Any = jwt
        self._issuer = issuer
        self._audience = audience
        self._file = FollowedFile(jwks)
        self._keys: dict[str, Any] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the keys if their file changed since; say whether it did.

        Raises TokenFileError; the keys read before then stay in force.
        """
        where = self._file.path
        try:
            text = self._file.text_if_changed()
            if text is None:
                return False
            keys = self._jwt.PyJWKSet.from_dict(json.loads(text)).keys
        except (OSError, ValueError, AttributeError, self._jwt.PyJWTError) as error:
            raise TokenFileError(f"{where}: no JWKS: {reason_of(error)}") from None
        named = {key.key_id: key for key in keys if key.key_id}
        if not named:
            raise TokenFileError(f"{where}: has no key with a 'kid'")
        self._keys = named
        return True

    def caller_of(self, token: str) -> Caller | None:
        """Return the caller of a token, or None for a token that doesn't verify."""
        try:
            key = self._keys.get(self._jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return None
            claims = self._jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                issuer=self._issuer or None,
                audience=self._audience or None,
                leeway=_CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "sub"], "verify_aud": bool(self._audience)},
            )
        except (self._jwt.PyJWTError, ValueError):
            return None
        return Caller(claims["sub"]) if claims["sub"] and claims["sub"] != SYSTEM.id else None
