"""What we served is not learnt again: neither our fenced block, nor its lines, nor an assistant's repetition of a memory.

The turns stay as they were said; only what is extracted from them is less.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..embedding import InThread
from ..model import Extraction, Fact, Rejected, SourceClass, Turn
from ..ports import Chunk, Ledger
from ..records import Batch, Extracted
from ..safety.fence import fence_name, lines_like_ours, told_by, unfenced, without_lines
from ..safety.quarantine import Reader
from .evidence import verify

REPEATED = "an assistant's echo of what is remembered"


@dataclass(frozen=True, slots=True)
class Echoes:
    """Asks the ledger what is remembered, and only where something looks like an echo."""

    ledger: Ledger
    in_thread: InThread

    async def without_ours(self, batch: Batch, said: Chunk) -> Chunk:
        """What was said without our fenced blocks, and without lines of such blocks that tell what is remembered."""
        fence = fence_name(self.ledger.secret(), batch.scope.user_id)
        texts = {turn.id: unfenced(turn.content, fence) for turn in (*said.context, *said.turns)}
        ours = {turn: lines for turn, text in texts.items() if (lines := lines_like_ours(text))}
        known = await self._known(batch, (key for lines in ours.values() for key in lines.values()))
        for turn, lines in ours.items():
            texts[turn] = without_lines(texts[turn], [line for line, key in lines.items() if key in known])

        def new(turn: Turn) -> Turn:
            return turn if texts[turn.id] == turn.content else replace(turn, content=texts[turn.id])

        return Chunk(tuple(map(new, said.turns)), tuple(map(new, said.context)), said.instructions)

    async def verified(
        self, batch: Batch, extraction: Extraction, said: Chunk, seen: Chunk, reader: Reader | None = None
    ) -> Extracted:
        """The facts with their evidence, without those that rest on an assistant's words alone where these only repeat what is
        remembered. What was extracted from less than was said is checked against all of it too: a quote must not reach
        over what was left out. `reader`: as of `verify`."""
        found = verify(extraction, seen, reader)
        if seen != said:
            again = Extraction(found.facts, found.rejected, found.usage, found.model, found.prompt_id)
            found = verify(again, said, reader)
        quotes = [self._told(fact, said) for fact in found.facts]
        known = await self._known(batch, (key for told in quotes for keys in told for key in keys))
        echo = [bool(told) and all(keys & known for keys in told) for told in quotes]
        if not any(echo):
            return found
        rejected = [Rejected(fact.text, REPEATED) for fact, one in zip(found.facts, echo, strict=True) if one]
        kept = tuple(fact for fact, one in zip(found.facts, echo, strict=True) if not one)
        return replace(found, facts=kept, rejected=(*found.rejected, *rejected))

    def _told(self, fact: Fact, said: Chunk) -> list[set[str]]:
        """Of each quote of an assistant's fact: the keys of what it may repeat."""
        if fact.source is not SourceClass.ASSISTANT:
            return []
        turns = ((one.quote, said.turn(one.turn_id)) for one in fact.evidence)
        return [told_by(quote, turn.content) for quote, turn in turns if turn is not None]

    async def _known(self, batch: Batch, keys: Iterable[str]) -> set[str]:
        wanted = set(keys)
        if not wanted:
            return set()
        known: set[str] = await self.in_thread(self.ledger.known_texts, batch.space, wanted)
        return known
