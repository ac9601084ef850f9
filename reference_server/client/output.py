"""How resources are printed: `-o table|wide|name|yaml|json|jsonpath=TEMPLATE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.message import Message

from reference_server.client.documents import as_json, as_yaml
from reference_server.client.failures import BadInput
from reference_server.client.jsonpath_text import Template
from reference_server.client.kinds import Kind, name_of
from reference_server.client.plain import to_plain
from reference_server.client.source import escaped
from reference_server.client.table import as_table

_JSONPATH = "jsonpath="


class Form(StrEnum):
    """The forms that take no argument."""

    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    YAML = "yaml"
    JSON = "json"


FORMS = f"{', '.join(Form)} or {_JSONPATH}TEMPLATE"


@dataclass(frozen=True, slots=True)
class Output:
    """A form, and for jsonpath its template."""

    form: Form = Form.TABLE
    template: Template | None = None

    @property
    def is_for_people(self) -> bool:
        """Whether lines for people may be printed instead of resources."""
        return self.template is None and self.form in {Form.TABLE, Form.WIDE}

    def text(self, resources: Sequence[Message], kind: Kind, *, one: bool) -> str:
        """Return resources in this form; as JSON `one` is an object, several are an array.

        For jsonpath several are `{"items": […]}`, as kubectl's lists are.
        """
        if self.template is not None:
            plain = [to_plain(resource) for resource in resources]
            return escaped(self.template.fill(plain[0] if one else {"items": plain}))
        match self.form:
            case Form.YAML:
                return as_yaml(resources)
            case Form.JSON:
                return as_json(resources, one=one)
            case Form.NAME:
                return "".join(f"{name_of(kind, resource)}\n" for resource in resources)
            case _:
                return as_table(resources, kind, wide=self.form is Form.WIDE)


def output_of(text: str) -> Output:
    """Read what `-o` says. Raises BadInput."""
    if text.startswith(_JSONPATH):
        return Output(template=Template(text.removeprefix(_JSONPATH)))
    if text not in set(Form):
        raise BadInput(f"-o {text}: there is no such form", hint=f"It can be {FORMS}.")
    return Output(Form(text))
