"""How a user wants to be treated by the assistant, and what to be reminded of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..model import Kind


@dataclass(frozen=True, slots=True)
class Instruction:
    """`verb` leads the text: "The user wants to be reminded" + "to call Anna"."""

    text: str
    verb: str
    kind: Kind
    attribute: str


_REMIND = re.compile(
    r"^(?:please |can you |could you )?remind me (?P<what>(?:to|about|of|that|on|in|at|tomorrow|next)\b.{3,200})",
    re.IGNORECASE,
)
_STANDING = re.compile(
    r"^(?:please |and |from now on,? (?:please )?|in (?:the )?future,? (?:please )?|for (?:all )?future (?:answers|replies|responses),? )*"
    r"(?P<what>(?:always|never) (?!been|had|knew|thought|heard|liked|loved|was|mind|say|know|give up|forget|thought)\w+ .{2,200}"
    r"|(?:do not|don['’]t) (?:ever )?(?:use|call|mention|include|add|ask|write|say|send|suggest|recommend|give|answer|reply|respond)\b.{2,200}"
    r"|(?:answer|reply|respond|speak|talk|write) (?:to me )?(?:only |always )?(?:in|briefly|concisely|formally|shortly|with|using|as)\b.{0,200}"
    r"|keep (?:your|all|the) (?:answers|replies|responses)\b.{2,200}|call me [A-Z]\w+.{0,40}|be (?:brief|concise|polite|formal|honest|more concise)\b.{0,100})",
    re.IGNORECASE,
)
_FROM_NOW = re.compile(r"^(?:please )?from now on,? (?:please )?(?P<what>(?!I\b)\w+ .{2,200})", re.IGNORECASE)
_DONT = re.compile(r"^(?:do not|don['’]t) ", re.IGNORECASE)


def instruction(clause: str) -> Instruction | None:
    """A standing wish or a reminder, if it is one."""
    if match := _REMIND.match(clause):
        return Instruction(match["what"], "wants to be reminded", Kind.PLAN, "reminders")
    if match := _STANDING.match(clause) or _FROM_NOW.match(clause):
        asked, refused = _DONT.subn("", match["what"])
        verb = "asks the assistant not to" if refused else "asks the assistant to"
        return Instruction(asked, verb, Kind.INSTRUCTION, "instructions")
    return None
