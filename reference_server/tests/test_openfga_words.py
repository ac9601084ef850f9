"""The model and the policies in OpenFGA's words, and where OpenFGA is; no OpenFGA is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reference_server.authorization.model import Ref, RelationTuple, default_model, parse_model
from reference_server.authorization.openfga.address import parse_place
from reference_server.authorization.openfga.rendering import model_dsl, model_json, same_model, types_of
from reference_server.authorization.openfga.tuples import TupleKey, question_of, tuples_of
from reference_server.events.sink_url import parse_sink

TYPES = types_of(default_model())
ADA, AGENT, ORG = Ref("identity_account", "ada"), Ref("agent", "agt-1"), Ref("organization", "acme")
STORE = "01M8DB67704H5J0ZXMGWWVBQ4T"


@pytest.mark.parametrize(
    ("policy", "tuples"),
    [
        (RelationTuple(ADA, "owner", AGENT), [("identity_account:ada", "owner", "agent:agt-1")]),
        (RelationTuple(ORG, "organization", AGENT), [("organization:acme", "organization", "agent:agt-1")]),
        (
            RelationTuple(ORG._replace(relation="member"), "organization", AGENT),
            [
                ("named:organization/member/acme#holder", "any_organization", "agent:agt-1"),
                ("organization:acme#member", "holder", "named:organization/member/acme"),
            ],
        ),
        (
            RelationTuple(Ref("team", "t", "member"), "member", ORG),
            [
                ("named:team/member/t#holder", "member", "organization:acme"),
                ("other:team/t#member", "holder", "named:team/member/t"),
            ],
        ),
        (RelationTuple(ADA, "friend", AGENT), [("identity_account:ada", "holder", "named:agent/friend/agt-1")]),
        (
            RelationTuple(Ref("agent", "agt-2", "friend"), "owner", AGENT),
            [("named:agent/friend/agt-2#holder", "owner", "agent:agt-1")],
        ),
    ],
)
def test_what_a_policy_becomes(policy: RelationTuple, tuples: list[tuple[str, str, str]]) -> None:
    assert tuples_of(TYPES, policy) == [TupleKey(*each) for each in tuples]


def test_a_question_about_a_link_includes_sets() -> None:
    asked = question_of(TYPES, RelationTuple(ADA, "organization", AGENT))
    assert asked == ("identity_account:ada", "any_organization", "agent:agt-1")


def test_no_id_means_more_than_itself() -> None:
    ids = [
        "*",
        "a:b",
        "a#b",
        "a@b",
        "a b",
        "a\tb",
        "a/b",
        "%2A",
        "ä",
        "~",
        "a%b",
        "x" * 256,
        "ö" * 256,
        "x" * 255 + "y",
    ]
    kinds = ("agent", "team", "a/b", "other", "named")
    keys = [tuples_of(TYPES, RelationTuple(ADA, "owner", Ref(kind, each)))[0] for kind in kinds for each in ids]
    assert len({key.object for key in keys}) == len(keys), "no two become the same"
    assert all(re.fullmatch(r"[a-z_]+:[\w.%/~-]{1,231}", key.object) for key in keys)
    users = [tuples_of(TYPES, RelationTuple(Ref("identity_account", each), "owner", AGENT))[0].user for each in ids]
    assert len(set(users)) == len(users)
    assert "identity_account:*" not in users, "which would be everybody"


def test_the_model_has_all_that_the_table_has() -> None:
    for kind, permissions in default_model().items():
        assert permissions.keys() <= TYPES[kind].keys()
    dsl = model_dsl(TYPES)
    assert "or owner or admin from organization\n" in dsl
    assert "    define organization: [identity_account, platform, " in dsl
    assert dsl.count("\ntype ") == len(TYPES)


def test_a_model_is_known_again_in_whatever_order() -> None:
    sent = model_json(TYPES)
    definitions = [each | {"relations": dict(reversed(each["relations"].items()))} for each in sent["type_definitions"]]
    assert same_model({"id": "x", "type_definitions": definitions[::-1]}, sent)
    less = types_of(parse_model('[agent]\ncan_view = ["owner"]'))
    assert not same_model(model_json(less), sent)
    assert not same_model({}, sent)


def test_names_that_cant_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[agent\] any_x"):
        types_of(parse_model('[agent]\nany_x = ["owner"]'))


@pytest.mark.parametrize(
    ("server", "is_told"),
    [
        ("http://openfga.internal:8080", True),
        ("http://192.0.2.7", True),
        ("https://openfga.internal:8080", False),
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("http://localhost", False),
    ],
)
def test_a_key_that_others_could_read_on_its_way_is_told(server: str, is_told: bool, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret", encoding="utf-8")
    place = parse_place(f"{server}?token_file={key}", needs_store=False)
    assert (str(key) in place.warning and "https://" in place.warning) is is_told
    assert parse_place(server, needs_store=False).warning == ""
    sink = server.replace("https", "tls").replace("http", "nats")
    assert ("tls://" in parse_sink(f"{sink}/S?token_file={key}").warning) is is_told


def test_where_openfga_is() -> None:
    place = parse_place(f"openfga:http://127.0.0.1:8080?store={STORE}&model={STORE}")
    assert (place.server, place.store, place.model) == ("http://127.0.0.1:8080", STORE, STORE)
    assert parse_place(place.setting) == place
    patient = parse_place(f"{place.setting}&seconds=7.5")
    assert (place.seconds, patient.seconds) == (3.0, 7.5)
    assert parse_place(patient.setting) == patient
    assert parse_place(f"https://[::1]?store={STORE}").server == "https://[::1]:8080"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("openfga:127.0.0.1:8080", "openfga:http://HOST:PORT"),
        (f"http://me:secret@h?store={STORE}", "token_file"),
        ("http://h", "store=ID"),
        ("http://h?store=abc", "no id of OpenFGA"),
        (f"http://h?store={STORE}&speed=1", "no option 'speed'"),
        (f"http://h?store={STORE}&seconds=0", "seconds: '0' is no number"),
        (f"http://h/path?store={STORE}", "no path"),
        (f"http://h?store={STORE}&token_file=/nowhere", "no such file: /nowhere"),
    ],
)
def test_a_wrong_place_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        parse_place(text)
    assert "me:secret" not in str(caught.value)
