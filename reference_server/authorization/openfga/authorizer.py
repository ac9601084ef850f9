"""The authorizer that asks OpenFGA too. A caller may do what the stored policies *and* OpenFGA allow.

The stored policies are asked first: what they refuse is refused at once, so a revocation holds from the commit on,
whether OpenFGA has heard of it or not. What they allow, OpenFGA must allow as well, by the same way. Where it doesn't
and hasn't followed the store yet, the request waits for it a bounded time, and is asked once more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.model import PERMISSION_PREFIX, PLATFORM, Ref, RelationTuple, default_model
from reference_server.authorization.openfga.address import OpenFgaPlace
from reference_server.authorization.openfga.availability import Availability
from reference_server.authorization.openfga.batching import Batches
from reference_server.authorization.openfga.client import Check, OpenFgaClient, OpenFgaError
from reference_server.authorization.openfga.following import Progress
from reference_server.authorization.openfga.rendering import model_json, same_model, types_of
from reference_server.authorization.openfga.revocations import revocations_in
from reference_server.authorization.openfga.tuples import TupleKey, question_of, tuples_of
from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import AuthorizerBehind, AuthorizerUnavailable, FieldViolation, InvalidArgument
from reference_server.unit_of_work import UnitOfWork
from stores.bridge import wait_for
from stores.contract import Batch, BatchOperation, Store

CONTEXTUAL_MAX = 100
"""Contextual tuples of one check. Source: OpenFGA's rules for `ContextualTupleKeys`."""
_LOOK_SECONDS = 0.005
_PROBE = Ref("identity_account", "parity-probe")


def _operator(principal: Ref) -> RelationTuple:
    return RelationTuple(principal, "operator", PLATFORM)


class OpenFgaAuthorizer(Authorizer):
    """Decides by the stored policies and by OpenFGA. Asked only by functions that `stores.bridge.bridged` runs."""

    waits = True

    def __init__(self, place: OpenFgaPlace) -> None:
        super().__init__()
        self.types = types_of(default_model())
        self.client = OpenFgaClient(place)
        self._seconds = place.seconds
        self.availability = Availability()
        self.progress = Progress(place.cursor)
        self._batches = Batches(lambda checks: self._send(checks, fresh=False))
        self._fresh_batches = Batches(lambda checks: self._send(checks, fresh=True))

    # ---- decisions

    def allows(self, principal: Ref, permission: str, resource: Ref, policies: StoredPolicies) -> bool:
        """See `Authorizer`. Raises AuthorizerUnavailable, AuthorizerBehind."""
        return self.all_allowed([RelationTuple(principal, permission, resource)], policies)[0]

    def is_operator(self, principal: Ref, policies: StoredPolicies) -> bool:
        """See `Authorizer`. Raises AuthorizerUnavailable, AuthorizerBehind."""
        return self.all_allowed([_operator(principal)], policies)[0]

    def allowed_among(
        self, principal: Ref, permission: str, resources: Sequence[Ref], policies: StoredPolicies
    ) -> list[bool]:
        """See `Authorizer`; OpenFGA is asked for all together. Raises AuthorizerUnavailable, AuthorizerBehind."""
        return self.all_allowed([RelationTuple(principal, permission, each) for each in resources], policies)

    def all_allowed(self, questions: Sequence[RelationTuple], policies: StoredPolicies) -> list[bool]:
        """See `Authorizer`; OpenFGA is asked for all together. Raises AuthorizerUnavailable, AuthorizerBehind.

        What OpenFGA refuses is asked anew once it has followed, and so are the stored policies: they may have changed
        between the two, and then it is right to refuse the way that they knew.
        """
        allowed, open_questions = set[int](), list(range(len(questions)))
        for batches in (self._batches, self._fresh_batches, self._fresh_batches):
            ways = {each: way for each in open_questions if (way := self._way(questions[each], policies)) is not None}
            answers = self._ask(batches, list(ways.values()), policies)
            allowed.update(each for each, answer in zip(ways, answers, strict=True) if answer)
            open_questions = [each for each in ways if each not in allowed]
            if not open_questions:
                break
            self._wait_until_it_follows(policies.store)
            policies = StoredPolicies(UnitOfWork(policies.store), policies.contextual)
        for each in open_questions:
            if self._way(questions[each], policies) is not None:
                self.availability.disagrees(questions[each])
        return [each in allowed for each in range(len(questions))]

    def _way(self, question: RelationTuple, policies: StoredPolicies) -> RelationTuple | None:
        """Return what OpenFGA is to be asked: the way by which the stored policies say yes. None: they say no."""
        principal, permission, resource = question
        if self.holds(principal, permission, resource, policies):
            return question
        operator = _operator(principal)
        if permission.startswith(PERMISSION_PREFIX) and self.holds(*operator, policies):
            return operator
        return None

    def _contextual(self, policies: StoredPolicies) -> tuple[TupleKey, ...]:
        found = dict.fromkeys(key for each in policies.contextual for key in tuples_of(self.types, each))
        if len(found) > CONTEXTUAL_MAX:
            raise InvalidArgument(
                [
                    FieldViolation(
                        "contextual_policies", f"OpenFGA takes {CONTEXTUAL_MAX} tuples, these are {len(found)}"
                    )
                ]
            )
        return tuple(found)

    def _ask(self, batches: Batches, ways: Sequence[RelationTuple], policies: StoredPolicies) -> list[bool]:
        if not ways:
            return []
        self.availability.require()
        contextual = self._contextual(policies)
        return wait_for(self._asked(batches, [Check(question_of(self.types, each), contextual) for each in ways]))

    async def _asked(self, batches: Batches, checks: Sequence[Check]) -> list[bool]:
        try:
            async with asyncio.timeout(self._seconds):
                return await batches.ask(checks)
        except (OpenFgaError, TimeoutError) as error:
            raise AuthorizerUnavailable from error

    async def _send(self, checks: Sequence[Check], *, fresh: bool) -> list[bool | OpenFgaError]:
        try:
            answers = await self.client.check(checks, self.availability.model, fresh=fresh, seconds=self._seconds)
        except OpenFgaError as error:
            self.availability.failed(error)
            raise
        self.availability.answered()
        return answers

    def _wait_until_it_follows(self, store: Store) -> None:
        """Wait until all that is in the store now has reached OpenFGA. Raises AuthorizerBehind."""
        target, until = store.last_position(), time.monotonic() + self._seconds
        while not self.progress.has_reached(store, target):
            if time.monotonic() > until:
                raise AuthorizerBehind
            self.availability.require()
            wait_for(asyncio.sleep(_LOOK_SECONDS))

    # ---- what a server does with it

    def completing(self, batch: Batch, store: Store) -> Sequence[BatchOperation]:
        """See `Authorizer`: OpenFGA hears of the policies that a batch removes."""
        return revocations_in(batch, store)

    async def probe(self) -> bool:
        """Find out whether OpenFGA answers with our model, and say so; `availability` knows why not."""
        try:
            model = await self.client.model()
            if not same_model(model, model_json(self.types)):
                self.availability.unready(
                    f"model {model.get('id')} isn't this server's; make it so with `parity authorizer install`"
                )
                return False
            check = Check(question_of(self.types, _operator(_PROBE)))
            answer = (await self.client.check([check], model["id"], fresh=False, seconds=self._seconds))[0]
        except OpenFgaError as error:
            self.availability.unready(str(error))
            return False
        if isinstance(answer, OpenFgaError):
            self.availability.unready(str(answer))
            return False
        self.availability.ready(model["id"])
        return True

    async def close(self) -> None:
        """Let the connections go."""
        await self._batches.close()
        await self._fresh_batches.close()
        await self.client.close()
