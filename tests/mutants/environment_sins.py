"""Mutants of the operations on environments. A new one is one row."""

from __future__ import annotations

from tests.mutants import change_effects as ch
from tests.mutants import effects as do
from tests.mutants import operator_effects as op
from tests.mutants import read_effects as rd
from tests.mutants.mutant import (
    AUTHORIZE,
    DUPLICATE,
    ENVIRONMENT,
    PERSIST,
    PUBLISH,
    TRANSFORM,
    Mutant,
)
from tests.mutants.wrapping import answering, first, leaking, omit, store_now, then, together, wrap

ENVIRONMENT_SINS: tuple[Mutant, ...] = (
    Mutant(
        "environment-authorize-omitted",
        "environments are everybody's",
        together(*(omit(f"environment-{v}", AUTHORIZE) for v in ("create", "get", "update", "delete"))),
    ),
    Mutant(
        "environment-denied-stored",
        "a denied environment is stored before it is refused",
        wrap(ENVIRONMENT, AUTHORIZE, leaking(store_now)),
    ),
    Mutant(
        "environment-duplicate-stored",
        "a duplicate environment is stored before it is refused",
        wrap(
            ENVIRONMENT,
            DUPLICATE,
            leaking(do.store_under_id),
        ),
    ),
    Mutant(
        "environment-duplicate-wrong-code",
        "a duplicate environment is answered INVALID_ARGUMENT",
        wrap(ENVIRONMENT, DUPLICATE, answering(do.invalid)),
    ),
    Mutant(
        "environment-drops-values",
        "values of an environment are lost",
        first(ENVIRONMENT, PERSIST, do.changed_resource(ch.without_region)),
    ),
    Mutant(
        "environment-secrets",
        "answers, lists and events show an environment's secrets",
        together(
            *(omit(f"environment-{v}", TRANSFORM) for v in ("create", "get", "get-by-reference", "update", "delete")),
            *(then(f"environment-{v}", PUBLISH, op.revealing_event) for v in ("create", "update", "delete")),
            wrap("environment-list", "ListResources", rd.unredacted),
        ),
    ),
    Mutant(
        "environment-update-merges",
        "an update of an environment keeps its name",
        then(
            "environment-update",
            "BuildUpdateState",
            ch.reloaded(lambda new, old: do.put_at("metadata.name", old.metadata.name)(new)),
        ),
    ),
    Mutant(
        "environment-apply-creates",
        "an apply of an environment is a create",
        wrap("environment-apply", "LoadForApply", ch.as_new),
    ),
    Mutant(
        "environment-delete-keeps",
        "a deleted environment stays",
        then("environment-delete", "DeleteResource", do.keep("environment")),
    ),
)
