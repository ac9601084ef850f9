from __future__ import annotations

from pathlib import Path

import pytest

from reference_server.config import ConfigError, ServerConfig, config_text, load_config


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('store = "sqlite:file"\nlisten = "127.0.0.1:1"\ngrace_seconds = 1\n', encoding="utf-8")
    environment = {"PARITY_SERVER_LISTEN": "127.0.0.1:2", "PARITY_SERVER_GRACE_SECONDS": "2.5", "OTHER": "x"}
    config = load_config({"grace_seconds": 3.0, "store": None}, file, environment)
    assert (config.store, config.listen, config.grace_seconds) == ("sqlite:file", "127.0.0.1:2", 3.0)


def test_the_printed_configuration_can_be_read_again(tmp_path: Path) -> None:
    config = ServerConfig(store='leveldb:a"b\\c', reflection=False, max_concurrent_requests=7)
    file = tmp_path / "server.toml"
    file.write_text(config_text(config), encoding="utf-8")
    assert load_config({}, file, {}) == config


@pytest.mark.parametrize(
    ("flags", "environment", "complaint"),
    [
        ({"profile": "both"}, {}, "not cloud or oss"),
        ({"profile": "cloud"}, {}, "give a token file"),
        ({"tokens": "x"}, {}, "tokens: the oss profile lets everybody in"),
        ({"jwt_jwks": "x"}, {}, "jwt_jwks: the oss profile lets everybody in"),
        ({"profile": "cloud", "tokens": "x", "jwt_issuer": "x"}, {}, "none is taken without jwt_jwks"),
        ({"event_log": "x"}, {}, "event_log: the oss profile has no events"),
        ({"tls_cert": "x"}, {}, "give both or neither"),
        ({"tls_client_ca": "x"}, {}, "needs tls_cert"),
        ({"log_level": "loud"}, {}, "none of debug"),
        ({"max_message_bytes": 0}, {}, "max_message_bytes"),
        ({"grace_seconds": -1.0}, {}, "grace_seconds"),
        ({"metrics": "here"}, {}, "no host:port"),
        (
            {},
            {"PARITY_SERVER_MAX_MESSAGE_BYTES": "ten"},
            "PARITY_SERVER_MAX_MESSAGE_BYTES: max_message_bytes: 'ten' .* valid integer",
        ),
        ({}, {"PARITY_SERVER_REFLECTION": "maybe"}, "'maybe' .* valid boolean"),
    ],
)
def test_a_wrong_setting_is_named(flags: dict[str, object], environment: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_config(flags, None, environment)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("colour = 1", "is no setting"), ("listen = 3", "listen: 3 .* valid string"), ("=", "server.toml")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        load_config({}, file, {})
