"""Drawn worlds: policies of every kind that the model knows and some that it doesn't, and questions about them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from reference_server.authorization.model import PLATFORM, Model, Ref, RelationTuple
from reference_server.authorization.openfga.rendering import ANY, NAMED, OTHER, Types

GROUPS = ("group", "team/of people")
"""Kinds that the model doesn't know."""
STRANGE = ("", "*", "a:b", "x#y", "with blank", "ümläut", "%41", "~", "q" * 240)
"""Endings of ids that OpenFGA would read otherwise, or not take, as they are."""
MADE_UP = ("can_fly", "friend")
"""Relations that no kind of the model knows."""
POLICIES, QUESTIONS, CONTEXTUAL_MAX = 60, 500, 4


@dataclass(frozen=True)
class Question:
    """A question, and the policies that count for it beside the stored ones."""

    asked: RelationTuple
    contextual: tuple[RelationTuple, ...] = ()


class World:
    """Some resources and principals, policies between them, and questions."""

    def __init__(self, number: int, seed: int, model: Model, types: Types) -> None:
        self._random = random = Random(f"{seed}-{number}")
        self._names = {kind: _names_of(types, kind) for kind in (*model, "identity_account", *GROUPS)}
        ids = [f"w{number}-{each}{random.choice(STRANGE)}" for each in range(4)]
        self._refs = [Ref(kind, id_) for kind in self._names for id_ in ids[:3]] + [PLATFORM]
        self._accounts = [Ref("identity_account", id_) for id_ in ids]
        self._links = sorted(
            {(kind, term.link) for kind, each in model.items() for ts in each.values() for term in ts if term.link}
        )
        self.policies = list(dict.fromkeys(self._policy() for _ in range(POLICIES)))
        self.questions = [self._question() for _ in range(QUESTIONS)]

    def _policy(self) -> RelationTuple:
        random = self._random
        if random.random() < 0.3:
            kind, link = random.choice(self._links)
            resource = random.choice([each for each in self._refs if each.kind == kind])
            target = random.choice([each for each in self._refs if each.kind == link or random.random() < 0.05])
            return RelationTuple(target, link, resource)
        resource = random.choice(self._refs)
        return RelationTuple(self._principal(), random.choice(self._names[resource.kind]), resource)

    def _principal(self) -> Ref:
        random = self._random
        if random.random() < 0.6:
            return random.choice(self._accounts)
        ref = random.choice(self._refs)
        return ref._replace(relation=random.choice(self._names[ref.kind])) if random.random() < 0.7 else ref

    def _question(self) -> Question:
        """Ask something: half of the time about what policies lead to, so that many answers are yes."""
        random = self._random
        contextual = tuple(self._policy() for _ in range(random.randint(1, CONTEXTUAL_MAX)))
        contextual = contextual if random.random() < 0.25 else ()
        if random.random() < 0.4:
            resource = random.choice(self._refs)
            return Question(
                RelationTuple(self._principal(), random.choice(self._names[resource.kind]), resource), contextual
            )
        principal, relation, resource = random.choice([*self.policies, *contextual, *contextual])
        further = [each for each in self.policies if each.principal[:2] == resource[:2]]
        if further and random.random() < 0.5:
            _, relation, resource = random.choice(further)
        if random.random() < 0.5:
            relation = random.choice([name for name in self._names[resource.kind] if name.startswith("can_")])
        return Question(RelationTuple(principal, relation, resource), contextual)


def _names_of(types: Types, kind: str) -> list[str]:
    known = types.get(kind, types[OTHER])
    assert kind != NAMED
    return [name for name in known if not name.startswith(ANY)] + list(MADE_UP)
