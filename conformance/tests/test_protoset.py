"""The contract as a file: whole, in order, and named in a grpcurl line where there is no reflection."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from conformance.evidence import Exchange
from conformance.methods import METHODS
from conformance.protoset import PROTOSET_FILE, protoset_bytes
from conformance.transcript import grpcurl
from parity.main import run


def test_every_method_is_described_by_the_file_alone() -> None:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(protoset_bytes()).file:
        pool.Add(file)  # in order: an import that is missing, or comes later, is an error when it is looked for
    for method in METHODS.values():
        described = pool.FindMethodByName(method.path[1:].replace("/", "."))
        assert described.input_type.full_name == method.request.DESCRIPTOR.full_name
        assert described.output_type.full_name == method.response.DESCRIPTOR.full_name


def test_a_line_names_the_file_where_there_is_no_reflection() -> None:
    exchange = Exchange(1, "c", "l", "agent.get", "", METHODS["agent.get"].path, {"value": "a"}, "OK")
    words = shlex.split(grpcurl(exchange, "grpc://127.0.0.1:1", "my out/contract.protoset"))
    assert words[words.index("-protoset") + 1] == "my out/contract.protoset"
    assert "-protoset" not in grpcurl(exchange, "grpc://127.0.0.1:1")


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["protoset", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / PROTOSET_FILE)
    assert (tmp_path / PROTOSET_FILE).read_bytes() == protoset_bytes()
    assert run(["protoset", "--out", str(tmp_path / "no" / "folder")]) == 2
    assert "no/folder" in capsys.readouterr().err
