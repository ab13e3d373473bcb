"""What is worth keeping: a statement about somebody, not a greeting, a reaction, a compliment or a maybe."""

from __future__ import annotations

import re

from .sentences import FUNCTION_WORDS, words

_LEAD = re.compile(
    r"^(?:(?:yeah|yep|yes|yup|no|nope|nah|wow|whoa|oh|ooh|aww?|ah|ha|haha|hehe|lol|well|so|and|but|plus|also|anyway|hey|hi|hello|ok|okay"
    r"|sure|thanks|thank you|thx|thanks so much|thanks a lot|thanks a bunch|cool|nice|great|awesome|true|right|exactly"
    r"|absolutely|definitely|totally|of course|for sure|honestly|actually|to be honest|tbh|by the way|btw|in fact|i mean"
    r"|you know|guess what|no worries|no problem|sounds good|good idea|good point|agreed|congrats|um+|hmm+|indeed|anyways"
    r"|on another note|on a different note|on the other hand|luckily|fortunately|unfortunately|basically|omg|oh my god|my goodness|no way|not much|all good|speaking of which"
    r"|as for me|for me|personally|remember that|please remember that|note that|please note that|fyi|just so you know"
    r"|for the record|you should know that|keep in mind that|remember|bye|see ya|oh man|man|hey there|for now|other than that"
    r"|it's true that|good news|big news|glad you asked|glad to hear|that's great|that's awesome|i agree|i know|same here|me too)"
    r"(?=[\s,.!:…-]|$)[\s,.!:…-]*)+",
    re.IGNORECASE,
)

_SELF = r"(?:I|we)"
_REACTION = re.compile(
    "|".join(
        (
            rf"^{_SELF}(?:'m| am|'re| are)?\s+(?:so|really|very|super|totally|completely|fully|absolutely|definitely|just|also|truly|always"
            r"|here|sure|glad|proud|happy|sorry|stoked|pumped|thrilled)?\s*(?:glad|proud of (?:you|y)|sorry|happy (?:for|to hear|you|that you)"
            r"|sure|agree|appreciate|get (?:it|that|you)|understand|see|hear|know(?! how to)|bet|guess|mean|thank|here for|rooting|impressed"
            r"|inspired by (?:you|your)|stoked (?:for|to hear|you)|excited (?:for you|to hear|to see (?:what|how|where|your))|jealous|curious"
            r"|intrigued|wonder|wish|imagine|doubt|suppose|relate|feel (?:you|the same|that|it|like that|ya)|in awe|all ears|in)\b",
            rf"^{_SELF}\s*(?:'m|am|'re|are) (?:sure|confident|certain|positive|here|down|in|good|ok|okay|fine|well|glad|listening)\b",
            rf"^{_SELF} (?:really |totally |truly |just |absolutely |definitely |so )?(?:love|like|admire|respect|appreciate|adore|dig) (?:your?\b"
            r"|how\b|that(?:[.!,]|$| you| idea| for)|it\b|this\b|them\b|those\b|the way you|seeing you|hearing)",
            rf"^{_SELF} (?:can't|cannot|can not|can|could|couldn't) (?:wait|imagine|agree|relate|understand|see (?:why|how|that|you|it)|tell|believe|totally"
            r"|definitely|only imagine|thank|help|say|explain|complain|express|even|really)\b",
            rf"^{_SELF}(?:'ll| will| shall) (?:definitely |surely |totally |certainly |for sure |def |be sure to |make sure to )*(?:let you|keep (?:you|ya|that|it|them|in mind|on"
            r"|going|at it|pushing|trying)|check|try|do|remember|be (?:there|sure|happy|fine|ok|back|here|rooting|cheering|thinking)|see|tell you|send|share|never forget|take"
            r"|give (?:it|that|you)|make sure|talk|catch|text|call you|think about|consider|look into (?:it|that|them)|definitely|always (?:be|remember|cherish)|show you|message|update)\b",
            rf"^{_SELF}(?:'d| would| could| should| might| may) (?!(?:really |absolutely |also )?(?:love|like) to (?!hear|see|know|check|join|help|take a look|learn more|have you|chat"
            r"|talk|try it|try that|do that|go there|be there|come|know)\w+)",
            rf"^{_SELF} (?:do|did|don't|didn't|haven't|do not|did not)(?:[.!,]|$| too| as well| really| have any| know| think| want to (?:bother|miss|be)| mind| worry| care| regret)",
            rf"^{_SELF} (?:have|had|got|'ve|'ve got)(?: had)? (?:to (?:say|admit|agree|go|run|ask|know|hear|try|check)|no (?:idea|doubt|clue)|an? (?:great|good|blast|awesome|amazing|nice|fun|wonderful|lovely|fantastic|question|feeling) ?(?:time|day|blast|week|weekend)?[.!]?$|fun)",
            rf"^{_SELF} (?:just |really |still |always |strongly |definitely |personally |also )*(?:think|believe|hope|feel|guess|figure|reckon|swear|assume) (?:that |like )?(?:you|it|that|this|they|there|we|everyone|he|she|people|the|so|things|your)\b",
            rf"^{_SELF} hope\b",
            r"^my (?:pleasure|bad|apologies|condolences|advice|thoughts|heart goes|friend|dear|god|point|question)\b",
            r"\b(?:let me know|talk (?:to you )?(?:soon|later)|take care|keep (?:me|you|ya) (?:posted|updated)|good luck|have fun|way to go"
            r"|keep up|keep it up|well done|great job|good job|nice work|see you|catch (?:you|up)|looking forward to (?:hearing|it|seeing (?:you|what|how|your))|your support|your (?:kind|encourag\w+)"
            r"|mean(?:s|t)? (?:a lot|so much|the world)|appreciate (?:it|you|your|that)|check (?:it|this|that|them) out|have a look|take a look|take a peek|remind(?:s|ed) me"
            r"|can't wait|thanks? (?:for|to you)|thank you|hats off|here'?s (?:a|the|some|my|one|what|to)|this is|look at|like you|just like you|if only|you're|you are|you've|you'll|who knows|stay (?:safe|tuned)|no doubt|what about you|how about you)\b",
            r"^(?:I (?:made|got|have|had|love|like|want|need|know|understand|feel|did|do|see|saw|found|took|tried|try) (?:it|that|this|them|those|some|one|so|too|ya|her|him))[.!]*$",
        )
    ),
    re.IGNORECASE,
)
_MAYBE = re.compile(
    r"\b(?:if|whether|unless|maybe|perhaps|what if|imagine|suppose|as if|wish|hopefully|in case|kidding|joking)\b"
    r"|\b(?:could've|would've|should've|would have|could have|should have)\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"^(?:please|can you|could you|would you|will you|recommend|suggest|tell|give|show|help|explain|write|list|make|create|find|translate|summari[sz]e"
    r"|describe|generate|draft|check|look|let'?s|let|try|keep|take|have|be|don'?t|do|go|come|consider|think|enjoy|remember to|stay|wait|stop|start|imagine|compare|calculate|fix|rewrite"
    r"|what|how|why|when|where|who|which|whose|is|are|can|could|would|should|does|did|provide|send|get|use|add|ask|share)\b",
    re.IGNORECASE,
)
_EMPTY = frozenset(
    "thing things stuff something anything everything nothing someone anyone everyone lot lots bit kind sort way ways time times "
    "great good nice awesome amazing cool fun happy sad glad proud excited exciting wonderful lovely special important hard tough "
    "easy big little much many more most less feel feels felt feeling feelings think thinks thought know knew get got getting going go went "
    "make made making makes want wanted need needed love loved like liked see saw seen seeing look looking looks find found keep kept try tried trying "
    "take took come came say said tell told lol really super pretty quite truly definitely absolutely totally day today one ones here there "
    "back even still yet already again always never ever all some any every each other others such own same too also "
    "life moment moments journey experience experiences support supportive positive positivity inspiring inspired amazing incredible "
    "blessed grateful thankful powerful meaningful difference world heart hope dream dreams better best worth stay strong people self "
    "believe help helps helped helping change changes challenge challenges start started learn learned mind sense joy passion gonna wanna "
    "have having has had being been guys folks stuff whole reminder reminds hear heard share shared sharing bring brings".split()
)


_FEELING = re.compile(
    r"\b(?:I|we)(?:['’]m|['’]re|['’]ve been| am| was| are| were| feel| felt| have been)?\s+(?:(?:so|really|very|super|just|also|always|truly|still|all|feeling"
    r"|pretty|quite|definitely|both|such|absolutely|incredibly|totally|extremely)\s+){0,3}(?:lucky|grateful|thankful|blessed|excited|stoked|pumped|thrilled"
    r"|off to|off|glad|happy|proud|amazed|overwhelmed|honou?red|feeling|feel|felt|ready|looking forward|ecstatic|psyched|hyped|eager|delighted|relieved"
    r"|blown away|touched|moved by|super|so|inspired|motivated|determined|hopeful|optimistic|nervous|curious|open to|game for|up for|wanted|figured|knew"
    r"|realized|thought|guess|believe|think|know|hope|thinking that|thinking about (?:it|that|how)|all about|loving)\b(?! (?:to (?:New|San|Los)|a [a-z]+ (?:class|course)))"
    r"|\b(?:I|we) (?:\w+ )?(?:can|could|should|must|might|may|would|gotta|need to|want (?:it|this|that|them|everyone|people|others|you))\b(?! (?:play|speak|cook|swim|drive|stand))"
    r"|^(?:a lot|so much|things?|some|lots|much|it|the|what|all|everything|stories|yours?|there|these|this|that)\b(?!.*\b(?:bought|made|painted|wrote|visited|went|started|took|got|saw)\b)"
    r"|\b(?:my|our) [\w ]{2,30} (?:can|could|would|should|might)\b"
    r"|^we(?:['’]re| are)\b(?! (?:planning|going|thinking|getting|married|moving|both|\w+ing))|^we(?:['’]ve| have) (?:come|got (?:to|this|each)|been through)\b"
    r"|^we (?:need|want|bond|support|share|all|do|learn|know|gotta|make|feel)\b"
    r"|^(?:I|we) (?:\w+ )?(?:love|like|enjoy|dig) (?:the|this|that|these|those|all|love|being|seeing|hearing|giving|having|helping|how|what)\b"
    r"|^I(?:['’]ve| have|['’]m) (?:got|been) (?:some|a lot|lots|so|there|good|great|busy|ok|okay|well|fine|pretty|swamped|thinking|better)\b",
    re.IGNORECASE,
)
FULL = 4  # content words from which even a feeling tells of something
_NEVER_FULL = re.compile(
    r"^(?:a lot|so much|things?|some|lots|much|it|the|what|all|everything|stories|there|this|that|these)\b"
    r"|\b(?:can|could|should|must|might|may|would|gotta|hope|think|thought|believe|guess|know|knew|lucky|off to|loving|inspired by|amazed)\b"
    r"|^we\b|\b(?:make|making|made) (?:a|some|any) (?:\w+ )?(?:difference|change|impact|memories)\b",
    re.IGNORECASE,
)
_SINCE_CHAT = re.compile(
    r"^(?:since|from the last time|last time) (?:we|I) (?:last |had )?(?:chatted|spoke|talked|met|caught up|saw you)(?: last)?,?\s*|"
    r"\s+since (?:we|our) (?:last )?(?:chatted|spoke|talked|chat|talk|conversation)(?: last)?\b",
    re.IGNORECASE,
)


def strip_lead(text: str, vocatives: frozenset[str]) -> str:
    """The sentence without "Yeah, ", "Thanks, Anna! " and the like; and without a name called at its end."""
    text = _SINCE_CHAT.sub("", text)
    for _ in range(4):
        shorter = _LEAD.sub("", text, count=1)
        shorter = _strip_name(shorter, vocatives)
        if shorter == text:
            break
        text = shorter
    for name in vocatives:
        text = re.sub(rf",?\s+{re.escape(name)}(?=[.!]*$)", lambda m: "" if m[0].startswith(",") else m[0], text)
    return text.strip()


def _strip_name(text: str, vocatives: frozenset[str]) -> str:
    head, comma, rest = text.partition(",")
    if comma and head.strip().casefold() in vocatives:
        return rest.lstrip()
    head, comma, rest = text.partition("!")
    return rest.lstrip() if comma and rest.strip() and head.strip().casefold() in vocatives else text


def is_reaction(text: str) -> bool:
    """Something said to the other about what the other said."""
    if _REACTION.search(text):
        return True
    return bool(_FEELING.search(text)) and (len(content_words(text)) < FULL or bool(_NEVER_FULL.search(text)))


def is_maybe(text: str) -> bool:
    """A hypothetical, a wish, a doubt."""
    return bool(_MAYBE.search(text))


def is_request(text: str) -> bool:
    """A question without its mark, or a wish addressed to the other."""
    return bool(_REQUEST.match(text))


def content_words(text: str) -> list[str]:
    """The words that say something."""
    return [word for word in words(text) if word not in FUNCTION_WORDS and word not in _EMPTY and len(word) > 2]
