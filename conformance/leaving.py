"""How a run that somebody ends takes back what it made: at once, or not at all."""

from __future__ import annotations

from threading import Thread

from conformance.evidence import LEAVING
from conformance.exercises import Exercises
from conformance.founding import leave_context
from conformance.session import Session
from conformance.target_client import TargetClient, TargetLost

LEAVE_SECONDS = 0.3


def leave_soon(exercises: Exercises) -> list[str]:
    """Delete what the exercises made as far as a third of a second reaches, and say what may be left.

    Their calls have been ended, so this uses a connection of its own, and its exchanges are no evidence.
    """
    left: list[str] = [f"what run {exercises.context.run_id} made may be left: the run was interrupted"]

    def leave() -> None:
        running = exercises.client.running
        session = Session(LEAVING, TargetClient(running, running.channel(), LEAVE_SECONDS), exercises.context)
        try:
            left[:] = leave_context(session, exercises.made, exercises.refused)
        except (TargetLost, ValueError):
            return  # It is gone, or the run closed the connection: what was said of what is left stands.

    thread = Thread(target=leave, daemon=True)
    thread.start()
    thread.join(LEAVE_SECONDS)
    return list(left)
