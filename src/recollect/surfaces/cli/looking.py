"""`recollect context`, `count`, `users` and `watch`: what a model would be told, how much there is, of whom, and what changes."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import Common, put, say, with_common
from .safe import count as counted
from .safe import moment, plain, words
from .scopes import Agent, AsOf, Filters, KnownAt, MinScore, NoGraph, Now, Session, Since, Until, mapping


@with_common
def context(
    common: Common,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What a model is asked")],
    max_tokens: Annotated[int, typer.Option(help="At most so many tokens")] = 1000,
    session: Session = None,
    agent: Agent = None,
    filters: Filters = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    since: Since = None,
    until: Until = None,
    now: Now = None,
    min_score: MinScore = None,
    no_graph: NoGraph = False,
) -> None:
    """Print what a model should be told before it answers, ready to be put into a prompt. Nothing where nothing is known.

    Example: recollect context "what should I cook tonight?" --max-tokens 500
    """
    with common.existing() as memory:
        found = memory.context(
            query,
            user_id=common.user_id,
            max_tokens=max_tokens,
            session_id=session,
            agent_id=agent,
            metadata_filter=mapping(filters, "--filter"),
            as_of=as_of,
            known_at=known_at,
            since=since,
            until=until,
            now=now,
            min_score=min_score,
            graph=not no_graph,
        )
    if common.json:
        common.answer(found.model_dump(mode="json"))
    elif found.text:
        put(found.text)
    else:
        say(f"Nothing that is known has to do with it and fits into {counted(max_tokens, 'token')}.", stderr=True)


@with_common
def count(
    common: Common,
    session: Session = None,
    agent: Agent = None,
    filters: Filters = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """Say how many memories a user has, or how many fit.

    Example: recollect count --user alice --filter topic=travel
    """
    with common.existing() as memory:
        number = memory.count(
            user_id=common.user_id,
            session_id=session,
            agent_id=agent,
            metadata_filter=mapping(filters, "--filter"),
            as_of=as_of,
            known_at=known_at,
        )
    common.answer({"count": number}) if common.json else say(str(number))


@with_common
def users(common: Common) -> None:
    """List everybody of whom the store has something.

    Example: recollect users
    """
    from .showing import table

    with common.existing() as memory:
        found = memory.users()
    if common.json:
        common.answer([one.model_dump(mode="json") for one in found])
        return
    if not found:
        say('Nobody is remembered yet. (recollect add "My favorite color is blue.")')
        return
    named = [(named_user(one.user_id), moment(one.changed_at) or "never") for one in found]
    table(common, ("user", "last change"), [(words(name), when) for name, when in named], wide="user")
    say(counted(len(found), "user"))


def named_user(user_id: str | None) -> str:
    """A user as people read it."""
    return "(shared)" if user_id is None else plain(user_id)


@with_common
def watch(
    common: Common,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Begin with what changed since: a date, or 365d, 52w, 12m, 1y ago"),
    ] = None,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="How often to look")] = 1.0,
) -> None:
    """Follow what changes, of everybody or (--user) of one, by whichever process. Ctrl-C ends it.

    With --json each change is a line of JSON of its own.

    Example: recollect watch --user alice --since 7d
    """
    from .watch import follow

    follow(common, since, interval)
