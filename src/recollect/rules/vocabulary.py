"""Closed lists of words that tell nothing definite, for a statement to be weighed without them."""

from __future__ import annotations

# Verbs of the inner life and of courtesy: what they tell is a mood or an opinion.
INNER = frozenset(
    "able admire agree agreed aim aiming allowed allows appreciate appreciated appreciating balance balancing believe "
    "believed bet bringing brings care cared change changing cherish consider contemplate contemplating continue "
    "continued continuing deal dealing dealt deserve doubt embrace embracing encountered end ended enhance enhancing "
    "enjoy enjoying ensure ensuring experienced face faced facing feel feeling feels felt finding focus focused "
    "focuses focusing forget forgot gain gained gaining gets getting gives grow growing guess guessed happened hear "
    "hearing help helps hope hoped hoping imagine imagined inspire inspired inspires keep keeping kept knew know "
    "knowing leaning learned learnt let lets like liked look looked love loves loving manage matter mean meant "
    "mention mentioned miss missing motivate motivated navigate navigating need needed notice noticed noticing "
    "prioritize putting realised realize realized realizing reflect reflected reflecting relate remember remembered "
    "remembering said say says seeing seem seemed seems setting show showing shows sound stay staying strive striving "
    "struggle struggled struggling support supporting suppose telling thank thanked think thinking thought treat "
    "treated try understand understood value valued values want wanted wish wonder wondered wondering worried worry".split()
)
# Verbs with little meaning of their own: they tell as much as what follows them.
LIGHT = frozenset(
    "became become bring brought came caught changed come coming considering did do done enjoyed explore exploring "
    "find found gave get give giving go got grew had have having heard helped known looking loved made make makes "
    "managed missed put saw see seen set share sharing showed stayed supported talking tell told took tried trying "
    "went".split()
)
MENTAL = INNER | LIGHT
# Words that name nothing: too general, or an appraisal.
VAGUE = frozenset(
    "across activities adventure adventures afternoon again ago all along already alright also always amazing amount "
    "another any anyone anything approach around aspect aspects atmosphere attitude away awesome back beautiful "
    "becoming best better big bit blast blessed bond bonds boundaries breathtaking bunch busy call calming certain "
    "challenge challenges chance changes chat close collaboration collaborations communication confidence connect "
    "connection connections contribution contributions cool couple crazy creativity crucial culture current currently "
    "cute daily day days decent deeply details development difference different difficult discussions diverse down "
    "dream dreams each easy effective effectively effort efforts eight emotional emotions energy engagement enjoyable "
    "enough environment essential even evening ever every everyday everyone everything excited exciting experience "
    "experiences extra extremely fantastic far fave favorite favourite feedback feelings few fine first five folks "
    "forward four fulfilling full fun future gains glad goal goals going gonna good goodness gorgeous grateful great "
    "growth guidance guys hand happy hard hard-earned health healthy heart helping here hours huge hurdle idea ideas "
    "impact importance important incredible incredibly initiative initiatives insight insights inspiration inspired "
    "inspiring interesting invaluable journey joy key kind kindness knowledge last late lately learn learning left "
    "less letdown level life little lives long lot lots lovely luck major making many meaningful means memorable "
    "memories memory mental milestone mind mindset moment moments month months morale more morning most mostly "
    "motivation much myself names nature- never new news next nice night nine nothing objective objectives off offer "
    "old one ones ongoing online opportunities opportunity options other others ourselves out outcome outcomes "
    "overall own part particularly passion past path paths peaceful people period person personal perspective "
    "perspectives physical pic pics picture place places plan plans positive positivity potential power powerful "
    "practices pretty process productive professional progress project projects proud purpose quality quite ready "
    "real really reason reasons recent recently recommendations refreshing regular regularly relaxing reminder "
    "resources respect responsibilities responsibility result results rewarding right role room rough sad same self "
    "sense setback seven several short shot shots situation six skill skills snag some somebody someone something "
    "sort special spot spots step steps still stories story strategies strategy stress strong structured stuff "
    "stunning style success such super supportive sure surge take taking team ten thankful there thing things "
    "thoughts three thrilling through time times today together tomorrow ton tonight tons too tough towards trouble "
    "truly two under unforgettable up use various vibe vibes vibrant view views wanna way ways week weekend weeks "
    "well well-being wellbeing whole wild wonderful world worth wrong year years yesterday yet young yourself".split()
)
