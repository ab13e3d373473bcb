"""Two small conversations for the tests of the harness. In the first one two turns have the same words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from recollect_evals.model import Conversation, Question, Session, Turn


def session(name: str, began: datetime, *said: tuple[str, str]) -> Session:
    """Turns a minute apart."""
    turns = (
        Turn(f"{name}:{n}", speaker, "user", text, began + timedelta(minutes=n))
        for n, (speaker, text) in enumerate(said, start=1)
    )
    return Session(name, tuple(turns))


OSLO = Question("ann/q1", "Which city did Ann move to, was it Oslo?", "Oslo", "single-hop", ("s2:1",))
REX = Question("ann/q2", "What is the name of the dog that Ann adopted, is it Rex?", "Rex", "single-hop", ("s2:3",))
NITROGEN = Question("carl/q9", "What is the boiling point of nitrogen?", None, "never said")
ANN = Conversation(
    "ann",
    (
        session(
            "s1",
            datetime(2024, 3, 1, 9, tzinfo=UTC),
            ("Ann", "My favorite color is blue."),
            ("Ben", "I work as a nurse in Hamburg."),
            ("Ben", "A good morning to you."),
        ),
        session(
            "s2",
            datetime(2024, 4, 2, 9, tzinfo=UTC),
            ("Ann", "I moved to Oslo on 28 March 2024."),
            ("Ben", "A good morning to you."),
            ("Ann", "I adopted a dog called Rex."),
        ),
    ),
    (OSLO, REX),
)
CARL = Conversation(
    "carl",
    (
        session(
            "s1",
            datetime(2024, 5, 1, 9, tzinfo=UTC),
            ("Carl", "I moved to Lima in January 2024."),
            ("Dora", "I adopted a cat called Tom."),
        ),
    ),
)
