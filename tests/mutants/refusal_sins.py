"""Mutants of what a create refuses: constraints, authorization, slugs, duplicates. A new one is one row."""

from __future__ import annotations

from reference_server.errors import Internal, NotFound, PermissionDenied, Unauthenticated
from tests.mutants import create_effects as on
from tests.mutants import effects as do
from tests.mutants.mutant import (
    AUTHORIZE,
    BY_AGENT,
    CREATE,
    DEFAULTS,
    DUPLICATE,
    ENVIRONMENT,
    GET,
    INSTANCE,
    LIST,
    PERSIST,
    REFERENCE,
    SLUG,
    VALIDATE,
    Mutant,
)
from tests.mutants.wrapping import (
    answering,
    everywhere,
    first,
    instead,
    leaking,
    move,
    omit,
    store_now,
    swap,
    together,
    wrap,
)

REFUSAL_SINS: tuple[Mutant, ...] = (
    *(
        Mutant(
            f"{kind}-refused-in-quotes",
            f"who asks for a taken {kind} is answered with the values that he sent, secrets too",
            wrap(operation, DUPLICATE, on.quoting),
            asked=("RED-*", "ENV-*"),
        )
        for kind, operation in (("agent", CREATE), ("environment", ENVIRONMENT))
    ),
    # validate
    Mutant(
        "create-validate-omitted",
        "ValidateFieldConstraints is left out of every create",
        everywhere("create", lambda o: omit(o, VALIDATE)),
    ),
    Mutant(
        "create-validate-after-persist",
        "what breaks a constraint is stored before it is refused",
        everywhere("create", on.stored_first),
    ),
    Mutant("create-validate-swapped", "ValidateFieldConstraints and Authorize are swapped", swap(CREATE, VALIDATE)),
    Mutant(
        "create-validate-last",
        "ValidateFieldConstraints comes right before Persist",
        move(CREATE, VALIDATE, before=PERSIST),
    ),
    Mutant(
        "create-validate-wrong-code",
        "broken constraints are answered INTERNAL",
        everywhere("create", lambda o: wrap(o, VALIDATE, answering(lambda e: Internal(e.message)))),
    ),
    Mutant(
        "create-validate-no-details", "the refusal names no field", wrap(CREATE, VALIDATE, answering(on.no_details))
    ),
    Mutant(
        "reads-validate-omitted",
        "reads evaluate no constraints",
        together(
            *(
                wrap(o, VALIDATE, answering(lambda e: NotFound("x", "y")))
                for o in (
                    GET,
                    REFERENCE,
                    "agent-instance-get",
                    "environment-get",
                    "environment-delete",
                    BY_AGENT,
                    LIST,
                    "iam-policy-get",
                    "iam-policy-check-authorization",
                    "iam-policy-create",
                )
            )
        ),
    ),
    Mutant("policy-validate-omitted", "policies are stored unvalidated", omit("iam-policy-create", VALIDATE)),
    # authorize
    Mutant("create-authorize-omitted", "everybody may create", omit(CREATE, AUTHORIZE)),
    Mutant(
        "create-authorize-after-duplicate",
        "Authorize comes after CheckDuplicate",
        move(CREATE, AUTHORIZE, before=DEFAULTS),
    ),
    Mutant("create-authorize-swapped", "Authorize and ResolveSlug are swapped", swap(CREATE, AUTHORIZE)),
    Mutant(
        "create-authorize-after-persist",
        "what isn't allowed is stored before it is refused",
        wrap(CREATE, AUTHORIZE, leaking(store_now)),
    ),
    Mutant(
        "create-authorize-after-policies",
        "policies are written before the caller is refused",
        wrap(CREATE, AUTHORIZE, leaking(on.grant_now)),
    ),
    Mutant(
        "create-unauthenticated-wrong-code",
        "no credentials are answered PERMISSION_DENIED",
        wrap(CREATE, AUTHORIZE, answering(do.message("who are you"), only=Unauthenticated)),
    ),
    Mutant(
        "create-denied-wrong-code",
        "a refused caller is answered NOT_FOUND",
        wrap(CREATE, AUTHORIZE, answering(lambda e: NotFound("organization", "x"), only=PermissionDenied)),
    ),
    Mutant(
        "create-denied-wrong-message",
        "a refused caller is answered in other words",
        wrap(CREATE, AUTHORIZE, answering(do.message("go away"), only=PermissionDenied)),
    ),
    Mutant("create-members-refused", "only operators may create", first(CREATE, AUTHORIZE, do.operators_only)),
    # slug
    Mutant(
        "slug-kept-capital",
        "slugs keep capitals",
        do.slug(
            lambda n: on.collapsed("".join(c for c in n.replace(" ", "-") if c.isascii() and (c.isalnum() or c == "-")))
        ),
    ),
    Mutant(
        "slug-blank-dropped",
        "blanks are dropped, not made hyphens",
        do.slug(lambda n: on.collapsed(do.plain_slug(n.replace(" ", "")))),
    ),
    Mutant("slug-runs-kept", "runs of hyphens are kept", do.slug(lambda n: do.plain_slug(n).strip("-"))),
    Mutant(
        "slug-underscore-kept",
        "underscores and dots are kept",
        do.slug(lambda n: on.collapsed(do.plain_slug(n, keep="abcdefghijklmnopqrstuvwxyz0123456789-_."))),
    ),
    Mutant("slug-cut", "slugs are cut at 63 characters", do.slug(lambda n: on.collapsed(do.plain_slug(n))[:63])),
    Mutant(
        "slug-transliterated",
        "letters of other scripts are made ASCII",
        do.slug(
            lambda n: on.collapsed(do.plain_slug(n.replace("ö", "oe").replace("\u0410", "a").replace("\u0433", "g")))
        ),
    ),
    Mutant(
        "slug-of-client-replaced",
        "a slug of the client is made over",
        first(
            CREATE,
            SLUG,
            on.changed_request(lambda r: do.put_at("metadata.slug", on.collapsed(do.plain_slug(r.metadata.slug)))(r)),
        ),
    ),
    Mutant(
        "slug-empty-invented",
        "a name that makes no slug gets one",
        do.slug(lambda n: on.collapsed(do.plain_slug(n)) or "agent-without-name"),
    ),
    Mutant("slug-empty-accepted", "no slug at all is accepted", instead(CREATE, SLUG, on.take_request)),
    Mutant(
        "slug-empty-after-persist",
        "a nameless agent is stored before it is refused",
        wrap(CREATE, SLUG, leaking(store_now)),
    ),
    # duplicate
    Mutant(
        "create-duplicate-omitted",
        "CheckDuplicate is left out",
        together(omit(CREATE, DUPLICATE), omit(INSTANCE, DUPLICATE), omit(ENVIRONMENT, DUPLICATE)),
    ),
    Mutant(
        "create-duplicate-first",
        "CheckDuplicate comes before ResolveSlug",
        together(swap(CREATE, SLUG), wrap(CREATE, DUPLICATE, on.of_the_request)),
    ),
    Mutant(
        "create-duplicate-wrong-code",
        "a duplicate is answered INVALID_ARGUMENT",
        wrap(CREATE, DUPLICATE, answering(do.invalid)),
    ),
    Mutant("create-duplicate-ok", "a duplicate is answered OK, with the first resource", on.duplicate_ok),
    Mutant(
        "create-duplicate-after-persist",
        "a duplicate is stored before it is refused",
        wrap(
            CREATE,
            DUPLICATE,
            leaking(do.store_under_id),
        ),
    ),
    Mutant(
        "create-duplicate-overwrites",
        "a duplicate overwrites the first resource",
        wrap(CREATE, DUPLICATE, leaking(on.overwrite)),
    ),
    Mutant(
        "create-duplicate-global",
        "a slug is unique across organizations",
        first(CREATE, DUPLICATE, on.taken_anywhere),
    ),
    Mutant(
        "create-duplicate-across-kinds",
        "a slug of an agent is taken for the other kinds",
        together(*(first(o, DUPLICATE, on.taken_anywhere) for o in (INSTANCE, ENVIRONMENT))),
    ),
    Mutant(
        "oss-duplicate-by-org",
        "the oss profile lets two organizations use one slug",
        together(*(on.unique_by_org(operation) for operation in (CREATE, INSTANCE))),
        profile="oss",
    ),
)
