"""Closed lists of words that tell nothing definite, for a statement to be weighed without them."""

from __future__ import annotations

# Verbs of the inner life and of courtesy: what they tell is a mood or an opinion.
INNER = frozenset(
    "able admire agree agreed aim aiming allowed allows appreciate appreciated appreciating balance balancing believe "
    "believed bet bringing brings care cared change changing cherish consider contemplate contemplating continue "
    "continued continuing deal dealing dealt deserve doubt embrace embracing encountered end ended enhance enhancing "
    "enjoy enjoying ensure ensuring experienced face faced facing feel feeling feels felt finding focus focused "
    "focuses focusing forget forgot gain gained gaining gets getting gives grow growing guess guessed happened hear "
    "hearing help helps hope hoped hoping imagine imagined inspire inspired inspires keeping knew know knowing "
    "leaning let lets like liked look looked love loves loving manage matter mean meant mention mentioned miss "
    "missing motivate motivated navigate navigating need needed notice noticed noticing prioritize putting realised "
    "realize realized realizing reflect reflected reflecting relate remember remembered remembering said say says "
    "seeing seem seemed seems setting show showing shows sound stay staying strive striving struggle struggled "
    "struggling support supporting suppose telling thank thanked think thinking thought treat treated try understand "
    "understood value valued values want wanted wish wonder wondered wondering worried worry".split()
)
# Verbs with little meaning of their own: they tell as much as what follows them.
LIGHT = frozenset(
    "giving became become bring brought came caught changed come coming considering did do done enjoyed explore exploring "
    "find found gave get give go got grew had have having heard helped keep kept known learned learnt looking loved "
    "made make makes managed missed put saw see seen set share sharing showed stayed supported talking tell told took "
    "tried trying went".split()
)
MENTAL = INNER | LIGHT
# Words that name nothing: too general, or an appraisal.
VAGUE = frozenset(
    "another major late left use young means respect gains chance special hand news chat hurdle thrilling two three four five six seven eight "
    "nine ten objectives objective outcomes outcome communication engagement development regular regularly effectively ongoing diverse "
    "structured professional personal culture morale team style across activities adventure adventures afternoon again ago all along already alright also always amazing amount "
    "any anyone anything approach around aspect aspects atmosphere attitude away awesome back beautiful becoming best "
    "better big bit blast blessed bond bonds boundaries breathtaking bunch busy call calming certain challenge "
    "challenges chance changes close collaboration collaborations confidence connect connection connections "
    "contribution contributions cool couple crazy creativity crucial current currently cute daily day days decent "
    "deeply details difference different difficult discussions down dream dreams each easy effective effort efforts "
    "emotional emotions energy enjoyable enough environment essential even evening ever every everyday everyone "
    "everything excited exciting experience experiences extra extremely fantastic far fave favorite favourite "
    "feedback feelings few fine first folks forward fulfilling full fun future glad goal goals going gonna good "
    "goodness gorgeous grateful great growth guidance guys happy hard hard-earned health healthy heart helping here "
    "hours huge idea ideas impact importance important incredible incredibly initiative initiatives insight insights "
    "inspiration inspiring interesting invaluable journey joy key kind kindness knowledge last lately learn learning "
    "less level life little lives long lot lots lovely luck making many meaningful memorable memories memory mental "
    "milestone mind mindset moment moments month months more morning most mostly motivation much myself nature- "
    "inspired never new next nice night nothing off offer old one ones online opportunities opportunity options other "
    "others ourselves out overall own part particularly passion past path paths peaceful people period person "
    "perspective perspectives physical pic pics picture place places plan plans positive positivity potential power "
    "powerful practices pretty process productive progress project projects proud purpose quality quite ready real "
    "really reason reasons recent recently recommendations refreshing relaxing reminder resources responsibilities "
    "responsibility result results rewarding right role room rough sad same self sense several short shot shots "
    "situation skill skills snag some somebody someone something sort special spot spots step steps still stories "
    "story strategies strategy stress strong stuff stunning success such super supportive sure surge take taking "
    "thankful there thing things thoughts through time times today together tomorrow ton tonight tons too tough "
    "towards trouble truly under unforgettable up various vibe vibes vibrant view views wanna way ways week weekend "
    "weeks well well-being wellbeing whole wild wonderful world worth wrong year years yesterday yet yourself".split()
)
