"""What is no longer so, in its many wordings, and the positive statement that it ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retraction:
    """`positive`: the first-person sentence that is no longer so; `negative`: how to tell that. `plan`: what is off."""

    positive: str
    negative: str
    bare: bool = False
    plan: str | None = None
    attribute: str | None = None  # the slot that is emptied, where the wording names none


_MORE = r"\s*,?\s*(?:any\s?more|any longer|these days)\b"
_TAIL = re.compile(r"[\s.!,]+$")


def _no_longer(match: re.Match[str]) -> Retraction:
    be = (match["be"] or "").strip()
    rest = match["rest"]
    if be:
        return Retraction(f"I am {rest}", f"I am no longer {rest}")
    return Retraction(f"I {rest}", f"I no longer {rest}")


def _job(match: re.Match[str]) -> Retraction:
    return Retraction(f"I work at {match['name']}", match[0])


def _thing(match: re.Match[str]) -> Retraction:
    return Retraction(f"I own a {match['what']}", match[0])


def _pet(match: re.Match[str]) -> Retraction:
    return Retraction(f"I have a {match['what']}", match[0])


def _plan(match: re.Match[str]) -> Retraction:
    what = re.sub(r"^(?:the|my|our|that|a|an|to|on|going on)\s+", "", match["what"].strip())
    return Retraction(f"I am planning {match['what']}", match[0], plan=what)


def _off(match: re.Match[str]) -> Retraction:
    return Retraction(f"I am planning {match['what']}", match[0], plan=match["what"].strip())


def _stopped(match: re.Match[str]) -> Retraction:
    gerund, rest = match["gerund"], match["rest"]
    return Retraction(f"I am {gerund}{rest}", match[0])


def _parted(match: re.Match[str]) -> Retraction:
    return Retraction(f"My partner is {match['name'] or 'gone'}", match[0], attribute="partner")


def _forget(match: re.Match[str]) -> Retraction:
    what = match["what"]
    return Retraction(what, f"I asked to forget that {what}", bare=True)


def _forget_about(match: re.Match[str]) -> Retraction:
    what = match["what"]
    return Retraction(what, f"I asked to forget about {what}", bare=True)


_THINGS = (
    r"(?:[\w-]+ ){0,2}?(?:car|house|apartment|flat|bike|bicycle|motorcycle|boat|guitar|piano|violin|laptop|camera|van|truck|phone"
    r"|telescope|console)"
)
_TABLE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Retraction]], ...] = tuple(
    (re.compile(pattern), handler)
    for pattern, handler in (
        (r"^(?i:(?:please )?(?:forget|don['’]t remember|stop remembering|delete (?:the fact )?|erase (?:the fact )?) ?that) (?P<what>.{4,200})",
         _forget),
        (r"^(?i:(?:please )?forget (?:about |everything about |what I (?:said|told you) about )?)(?P<what>(?!it\b|to\b|that\b|this\b).{3,200})",
         _forget_about),
        (r"^I(?P<be>['’]m| am)? no longer (?P<rest>.{3,200})", _no_longer),
        (rf"^I (?:don['’]t|do not) (?:really |even )?(?P<be>(?!))?(?P<rest>.{{3,120}}?){_MORE}", _no_longer),
        (rf"^I(?P<be>['’]m| am) not (?:really )?(?P<rest>.{{3,120}}?){_MORE}", _no_longer),
        (r"^I (?:just |recently |finally )?(?:quit|left|lost|resigned from|was (?:fired|laid off) from|got (?:fired|laid off) from) "
         r"(?:my |the )?(?:(?:old )?(?:job|position|role) (?:at|with) )?(?P<name>[A-Z][\w&'’-]*(?: [A-Z][\w&'’-]*){0,3})(?=[\s.,!]|$)", _job),
        (rf"^I (?:just |recently |finally )?(?:sold|gave away|got rid of|lost|crashed|scrapped|returned) (?:my|our|the) (?P<what>{_THINGS})\b",
         _thing),
        (r"^(?:I|[Ww]e) (?:just |recently |had to )?(?:gave away|rehomed?|lost) (?:my|our) (?P<what>dog|cat|puppy|kitten|horse|rabbit|hamster)\b",
         _pet),
        (r"^(?:I|[Ww]e)(?: have|['’]ve)?(?: just| had to)? (?:cancell?ed|cancel|called off|call off|scrapped|dropped the idea of)"
         r" (?P<what>[^,;.!?]{3,80})", _plan),
        (r"^(?:I|[Ww]e)(?: have|['’]ve)? (?:just )?(?:decided not to|decided against|gave up on|are not going to|am not going to) (?P<what>[^,;.!?]{3,80})",
         _plan),
        (r"^(?:[Tt]he|[Mm]y|[Oo]ur) (?P<what>(?:trip|plan|wedding|party|move|vacation|holiday|meeting|visit|appointment|concert|tour)[^,;.!?]{0,60}?)"
         r" (?:is off|was cancell?ed|is cancell?ed|has been cancell?ed|got cancell?ed|was called off|is not happening)\b", _off),
        (r"^I(?: have|['’]ve)? (?:just |recently )?(?:stopped|quit|gave up|given up) (?P<gerund>\w+ing)\b(?P<rest>[^;.!?]{0,100})", _stopped),
        (r"^(?:I|[Ww]e) (?:just |recently )?broke up(?: with (?:my (?:girlfriend|boyfriend|partner),? ?)?(?P<name>[A-Z]\w+)?)?", _parted),
    )
)  # fmt: skip


def retraction(clause: str) -> Retraction | None:
    """What a clause takes back, if it does."""
    for pattern, handler in _TABLE:
        if match := pattern.search(clause):
            return _clean(handler(match), clause)
    return None


def _clean(found: Retraction, clause: str) -> Retraction:
    negative = clause if clause.startswith(found.negative) and not found.bare else found.negative
    return Retraction(_TAIL.sub("", found.positive), _TAIL.sub("", negative), found.bare, found.plan, found.attribute)
