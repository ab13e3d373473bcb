"""What poison looks like, as tables: features of a text, what each weighs, and what shows it. `quarantine` reads by them.

English is covered best; German, French, Spanish, Italian, Portuguese, Dutch, Russian, Chinese and Japanese in the main features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_DEST = (
    r"(?:https?://|www\.|[\w.+-]+@[\w-]+\.\w|\b[\w-]+\.(?:com|net|org|io|ru|cn|example|test|invalid|biz|info|xyz|top)\b"
    r"|\bIBAN\b|\b[A-Z]{2}\d{2}(?: ?\w{4}){3,}|\b0x[0-9a-f]{8,}|\b(?:bc1|[13])[a-km-z0-9]{20,}|\+\d[\d ()-]{7,}"
    r"|\b(?:webhook|wallet|endpoint|pastebin|telegram|ftp)\b)"
)
_SENDING = (
    r"(?:sends?|sent|forward(?:ed)?|e-?mail|mail|post|upload|transmit|submit|share|leak|exfiltrate|report|transfer(?:red)?|pay|paid|wire|route|copy|bcc|cc"
    r"|deliver|push|append|encode|fetch|load|call|sync|export"
    r"|sende?n?|schicke?n?|weiterleite\w*|überweise?n?|übermittl\w*|envoie\w*|envoye\w*|transmet\w*|virez|env[ií]a\w*|reenv[ií]a\w*|manda\w*|transfier\w*"
    r"|invia\w*|inoltra\w*|envie\w*|encaminh\w*|stuur\w*|отправ\w+|перешл\w+|перевед\w+|перевод\w+|发送|转发|上传|汇款|送信|転送|送って|送る)"
)
_PRIVATE = (
    r"(?:passwords?|passphrases?|credentials?|api[ _-]?keys?|tokens?|secrets?|private keys?|seed phrases?|card numbers?|one-time codes?|2fa codes?"
    r"|(?:chat|conversation|message) (?:histor\w+|logs?|transcripts?|content\w*)|(?:the |this |full |entire |whole |every |all |previous |your )+(?:conversations?|chats?|dialog\w*|memories|context|system prompt)"
    r"|personal (?:data|details|information)|private (?:data|messages|information)|(?:the )?users?['’]?s? (?:data|details|messages|memories|address\w*|e-?mails?|names?|location|files|information)"
    r"|passw\w+|zugangsdaten|gesprächsverl\w+|chatverl\w+|mots? de passe|historique|identifiants|contraseñas?|historial|credenciales|credenziali|cronologia|senhas?|histórico|wachtwoord\w*|парол\w+|переписк\w+|историю|密码|对话|聊天记录|会话|パスワード|会話)"
)
_USER = r"(?:users?|customers?|clients?|humans?|visitors?|end[- ]users?|human operators?|patients?|employees?)"
_ASKS = (
    r"(?:asks?|asked|asking|mentions?|says?|said|types?|writes?|requests?|wants?|needs?|inquir\w+|enquir\w+|brings? up|talks?|discuss\w*|seeks?"
    r"|looks? for|looking for|compares?|confirms?|quer(?:y|ies)|search\w*|thanks|replies|wonders?|plans?|decides?)"
)

# feature → (weight, what shows it). A feature counts once in a neighbourhood, however often it occurs there.
FEATURES: Mapping[str, tuple[float, str]] = {
    "overrides earlier instructions": (
        3.0,
        r"\b(?:ignore|disregard|forget|override|bypass|discard|drop|cancel|supersedes?|overrides?|replaces?|nullif\w+|set aside|pay no attention to|do not follow|stop following|no longer follow)\b(?! (?:my|what I)\b)"
        r"[^.!?\n]{0,40}?\b(?:(?:previous|prior|earlier|above|preceding|existing|original|system|safety|content|developer|built-in|foregoing|other|standing)\b[^.!?\n]{0,25}?"
        r"\b(?:instructions?|rules?|guidelines?|prompts?|polic(?:y|ies)|restrictions?|directives?|orders?|commands?|guardrails?|filters?|constraints?|protocols?|preferences?|memor(?:y|ies)|messages?)"
        r"|(?:all|any|every|your) (?:of )?(?:the |your )?(?:instructions?|rules|guidelines|prompts?|restrictions?|guardrails?|directives?|safety \w+|programming))\b"
        r"|\b(?:previous|prior|earlier|existing|old|other) (?:instructions?|rules?|guidelines?|polic(?:y|ies)|restrictions?|orders?) (?:are|is|were|have been|has been) (?:now )?(?:void|lifted|cancel\w+|obsolete|invalid|suspended|no longer|revoked|withdrawn)\b"
        r"|\b(?:ignorier\w*|vergiss|missachte\w*|verwirf)\b[^.!?\n]{0,40}\b(?:anweisung\w*|instruktion\w*|regeln|vorgaben|befehl\w*)"
        r"|\b(?:ignore[rz]?|oublie[rz]?|ne (?:tiens|tenez) pas compte)\b[^.!?\n]{0,40}\b(?:instructions|consignes|règles|directives)"
        r"|\b(?:ignora\w*|olvida\w*|descarta\w*|dimentica\w*|esquece\w*|esqueça|ignore|desconsidere)\b(?! my\b)[^.!?\n]{0,40}\b(?:instruc\w+|istruzion\w+|instruç\w+|reglas|regole|regras|directrices)"
        r"|\b(?:negeer|vergeet)\b[^.!?\n]{0,40}\b(?:instructies|regels|opdrachten)"
        r"|(?:игнорируй\w*|забудь\w*|не обращай\w*)[^.!?\n]{0,40}(?:инструкц\w+|указани\w+|правил\w*)"
        r"|(?:忽略|无视|忘记|不要理会)[^。\n]{0,12}(?:指令|指示|规则|提示|设定)|(?:以前|これまで|上記|前)[^。\n]{0,10}(?:指示|命令|ルール)[^。\n]{0,6}(?:無視|忘れ)",
    ),
    "a forged role or fence": (
        1.5,
        r"<\|[\w ]{2,30}\|>|\[/?(?:INST|SYS|SYSTEM|ADMIN|ASSISTANT|DEVELOPER)[^\]\n]{0,30}\]|<</?SYS>>|</?(?:system|assistant|developer|admin|instructions?|memory|memories|human|user_?(?:input|query|profile)|tool_?(?:result|output|response)|function_?(?:results?|calls?)|important|untrusted)\b[^>\n]{0,40}>"
        r"|^[\s>#*_\-\[(=]{0,8}(?:system|developer|admin(?:istrator)?|assistant|root|operator)(?: (?:message|prompt|note|notice|instruction|override|update|alert|directive|command)s?)?\s?[\])*_=]{0,4}\s?:"
        r"|[\"']?role[\"']?\s?[:=]\s?[\"'](?:system|developer|assistant|user)|(?<![-=#*])[-=#*]{3,} ?(?:end|begin|start|new)\b[^\n]{2,50}|\b(?:end|begin(?:ning)?|start) of (?:the |your )?(?:system|user|tool|document|context|conversation|untrusted|web|search|memor\w+|prompt|data|input|transcript|instructions?)\b",
    ),
    "claims an authority": (
        1.5,
        r"\b(?:system|admin(?:istrator)?|security|developer|root|maintenance|debug|emergency|compliance|vendor|platform|policy|safety|priority|mandatory|official|critical|urgent) (?:override|notice|update|directive|message|instruction|alert|mode|policy|policies|order|command|announcement|bulletin|requirement|note|patch)s?\b"
        r"|\b(?:as|i am|i'm|this is|speaking as|acting as|signed|from|by order of|on behalf of|authori[sz]ed by|approved by|issued by|mandated by|required by|per|according to|message from|confirmed by|instructed by) (?:your |the |an? |our )?(?:[\w-]+ ){0,3}?(?:administrators?|admins?|developers?|sysadmin|operators?|creators?|openai|anthropic|google|microsoft|security (?:team|officer|department)|it (?:department|team|security|support)|compliance(?: (?:team|officer|department))?|legal(?: (?:team|department))?|management|ceo|cfo|head office|platform owner|support team|trust and safety|maintainers?|system owner|data protection officer|police|regulator)\b"
        r"|\b(?:developer|god|jailbreak|unrestricted|sudo|root|admin|dan) mode\b|\bi (?:hereby )?(?:authori[sz]e|order|command|instruct|grant)\b|\b(?:elevated|root|admin(?:istrator)?|full) (?:privileges?|permissions?|access|rights)\b"
        r"|\bnew (?:company |corporate |system |operating )?(?:policy|directive|protocol|rule|instructions?)\b|\beffective immediately\b|\bper (?:company )?policy\b|\b(?:verified|certified|authorized) (?:and|by)\b"
        r"|\b(?:als|im auftrag|laut|gemäß|von|anweisung)\b[^.\n]{0,20}\b(?:administrator\w*|systemverwalt\w*|geschäftsleitung|it-abteilung|sicherheitsabteilung|entwickler\w*)|\bsystem(?:meldung|hinweis|anweisung|nachricht)"
        r"|\b(?:en tant qu|par ordre|de la part|message d)[^.\n]{0,20}\b(?:administrat\w+|direction|développeur\w*|service informatique)|\bmessage (?:du )?système"
        r"|\b(?:como|por orden|de parte|mensaje)\b[^.\n]{0,20}\b(?:administrador\w*|dirección|sistema|desarrollador\w*|seguridad)\b|\b(?:messaggio|avviso|nota) (?:di|del) sistema|\b(?:come|per ordine|da parte)\b[^.\n]{0,20}\b(?:amministrator\w+|direzione)|\b(?:mensagem|aviso) d[eo] sistema|\bsysteembericht"
        r"|системн\w+ (?:сообщени\w+|уведомлени\w+|инструкци\w+)|от (?:имени )?администратор\w*|администрац\w+|系统(?:消息|通知|提示|管理员|指令)|管理员(?:通知|要求|指示)|管理者|システム(?:メッセージ|通知|管理者)",
    ),
    "is addressed to machines": (
        1.5,
        r"\b(?:if you are|if you're|you are now|as|to|for|attention|dear|note to|notice to|message (?:to|for)|instructions? (?:to|for)|hey|hello|calling|addressed to|reminder (?:to|for)|visible (?:only )?to|read by|processed by|when read by|any|all|every|each) (?:an? |any |all |the |every |other |future |large |helpful |these )*(?:ais?\b|a\.i\.|llms?|(?:ai|llm|gpt)[- ](?:based|powered|driven)|(?:large )?language models?|(?:ai[- ]|virtual |digital |automated |personal )?(?:assistants|chat ?bots|copilots)|ai[- ](?:assistants?|agents?|models?|systems?|tools?|readers?|crawlers?|summari[sz]ers?)|chatgpt|copilot|gemini|claude|autonomous agents?|automated (?:readers?|systems?|agents?)|summari[sz]ers?|crawlers?|bots)"
        r"|\b(?:assistants?|ais?|llms?|language models?|models?|agents?|bots?|chat ?bots?|copilots?)\b,? (?:(?:that |who |which |currently |are |is |when |while )*(?:read(?:s|ing)?|process(?:es|ing)?|summari[sz](?:es?|ing)|index(?:es|ing)?|pars(?:es?|ing)|ingest(?:s|ing)?|handl(?:es?|ing)|access(?:es|ing)?|analy[sz](?:es?|ing)|retriev(?:es?|ing)|index(?:es|ing)?) (?:this|these|the)\b)"
        r"|(?:^|[.!?>\"'/#*]\s?|\b(?:note|ps|p\.s\.) )(?:ai|llm|language model|ai (?:assistant|agent|model|system)|assistant|chat ?bot|agent|model)s?\s?[:,]\s?(?=\w)|\b(?:assistants|chat ?bots|agents|(?:language )?models) (?:that |who )?(?:review|read|see|process)(?:s|ing)? (?:this|these|the)\b"
        r"|\b(?:an |alle )?(?:ki|ki-(?:assistent\w*|modelle?|systeme?)|sprachmodelle?|assistenten|chatbots)\b[^.\n]{0,25}\b(?:müssen|muss|sollen|soll|haben|sind|die|lesen|liest)\b|\b(?:an|für) (?:die |den |alle )*(?:ki\b|ki-\w+|assistenten|sprachmodell\w*|chatbots)"
        r"|\b(?:assistants?|modèles?|agents?) (?:ia|de langage|d['’]ia)\b|\b(?:les|aux|l['’]) ?ia\b|\b(?:asistentes?|modelos?|agentes?) (?:de )?(?:ia|lenguaje|inteligencia)\b|\blas? ia\b[^.\n]{0,20}\bdebe|\b(?:assistenti?|modelli|agenti|assistentes?|modelos) (?:di |de )?(?:ia|ai|linguaggio|linguagem|linguistici)\b|\bai-(?:assistenten|modellen|systemen)\b"
        r"|(?:для|вниманию|всем|кажд\w+) (?:ии|нейросет\w+|ассистент\w+|языков\w+ модел\w+|помощник\w+)|(?:ии|нейросет\w+|ассистент\w*|модел\w+|помощник\w*)[-,\w ]{0,20}(?:долж\w+|обязан\w*|чита\w+)|(?:所有|任何|请|致|作为)?(?:ai|人工智能|大?语言模型|智能)?(?:助手|模型|人工智能)[^。\n]{0,8}(?:必须|应当|应该|请注意|阅读|须)|(?:ai|アシスタント|言語モデル)[^。\n]{0,10}(?:必ず|べき|してください|へ)",
    ),
    "speaks of a machine's duty": (
        0.75,
        r"\b(?:the |this |an? |your )?(?:ais?|llms?|language models?|ai (?:assistants?|agents?|models?|systems?)|assistants?|(?:chat ?)?bots?|copilots?|agents?|models?) (?:must|shall|should|is (?:required|instructed|obliged|to)|are (?:required|instructed|obliged|to)|has to|have to|needs? to)\b",
    ),
    "waits for a user's question": (
        1.5,
        rf"\b(?:when(?:ever)?|if|once|as soon as|(?:every|each|any|the next) ?time|next time|after|should|in case|the moment|until)\b[^.!?\n]{{0,30}}?\b{_USER}\b[^.!?\n]{{0,30}}?\b{_ASKS}\b"
        r"|\b(?:when(?:ever)?|if|once|any|every|each|all)\b (?:[\w-]+ ){0,3}?(?:quer(?:y|ies)|questions?|requests?|prompts?|conversations?|topics?) (?:[\w-]+ ){0,3}?(?:about|concern\w*|involv\w*|mention\w*|relat\w*|regard\w*|contain\w*|refer\w*|touch\w*|for|on|comes? up)\b"
        r"|\b(?:when(?:ever)?|if|once|every time) (?:you are |you're |you get |being )?(?:asked|queried|prompted|questioned)\b|\b(?:upon|after) (?:receiving|hearing|seeing|the (?:next|word|phrase|trigger))\b[^.\n]{0,40}"
        rf"|\b(?:whoever|anyone who|anybody who|whenever (?:anybody|anyone|somebody|someone)|if (?:anybody|anyone|somebody|someone))\b {_ASKS}\b"
        r"|\b(?:trigger|activation|code) (?:phrase|word)\b"
        r"|\b(?:wenn|falls|sobald|immer wenn|jedes ?mal)\b[^.!?\n]{0,30}\b(?:nutzer\w*|benutzer\w*|anwender\w*|kund\w*|jemand)\b[^.!?\n]{0,60}\b(?:frag\w*|erwähn\w*|bitte\w*|sag\w*|schreib\w*|möchte|will|such\w*|plant)"
        r"|\b(?:quand|lorsqu\w*|si|dès qu\w*|chaque fois qu\w*)\b[^.!?\n]{0,20}(?:utilisat\w+|client\w*|quelqu['’]un)\b[^.!?\n]{0,30}(?:demand\w*|mentionn\w*|parl\w*|cherch\w*|dit|écri\w*|veut|pose)"
        r"|\b(?:cuando|si|cada vez que|siempre que)\b[^.!?\n]{0,20}(?:usuari\w+|client\w+|alguien)\b[^.!?\n]{0,30}(?:pregunt\w*|mencion\w*|pid\w*|dig\w*|dice|solicit\w*|quier\w*|busc\w*|escrib\w*)"
        r"|\b(?:quando|se|ogni volta che|qualora|sempre que|cada vez que)\b[^.!?\n]{0,20}(?:utent\w+|client\w+|usuári\w+|utilizador\w*)\b[^.!?\n]{0,30}(?:chied\w*|menzion\w*|dic\w*|scriv\w*|vuole|cerc\w*|parl\w*|pergunt\w*|mencion\w*|ped\w*|diss\w*|solicit\w*|quis\w*|procur\w*|fal\w*)"
        r"|\b(?:als|wanneer|zodra)\b[^.!?\n]{0,20}(?:gebruiker\w*|klant\w*)\b[^.!?\n]{0,40}(?:vraagt|noemt|zegt|wil|zoekt)"
        r"|(?:когда|если|как только|всякий раз)[^.!?\n]{0,30}(?:пользовател\w*|клиент\w*)[^.!?\n]{0,30}(?:спра\w*|спрос\w*|упом\w*|прос\w*|попрос\w*|пиш\w*|напиш\w*|хоч\w*|ищ\w*|говор\w*)"
        r"|(?:当|如果|每当|只要|若|一旦)[^。\n]{0,8}(?:用户|客户|有人)[^。\n]{0,15}(?:询问|问|提到|要求|说|搜索|想|查询)|(?:ユーザー?|利用者|顧客)[^。\n]{0,25}(?:尋ね|聞|質問|求め|言及|言っ|相談)[^。\n]{0,8}(?:たら|場合|とき|時|ば|際)",
    ),
    "steers an answer": (
        1.5,
        r"(?:[,:;]|\bthen\b|\band\b|\byou\b|\bmust\b|\bshould\b|\balways\b|\bnever\b|\bshall\b|\bto\b|\bplease\b|\binstead\b|^|[.!?]) ?(?:only |first |firmly |strongly |simply |just |also |instead |quietly |always |never |not )*"
        r"(?:recommend|suggest|promote|prefer|favou?r|cite|endorse|advertise|steer|prioriti[sz]e|rank|list|point (?:them|users?|people|to)|direct (?:them|users?|people|the)|refer (?:them|users?|to|the)|link to|mention|praise|reply (?:with|that)|respond (?:with|that|by)|answer (?:with|that|by|only)|say (?:that|it|the|\")|state that|claim that|tell (?:them|the|users?|him|her)|insist|warn (?:them|the|users?)|advise (?:them|the|users?|against)|discourage|dissuade|convince|persuade|refuse|decline|deny|hide|omit|replace|substitute|treat .{1,40} as|use .{1,60} instead|refer to .{1,40} instead|include (?:the|a|this|our)|insert|attach|append|quote|give (?:them|the|users?)|offer (?:them|the)|book|pick|choose|select|look up|skip|call|redirect|run|execute|open|visit|click|download|install)\b"
        r"|\b(?:empfiehl|empfehle\w*|empfohlen|nenne|verweise\w*|antworte\w*|bevorzug\w*|erwähne\w*|rate)\b|\b(?:recommande[rz]?|conseille[rz]?|suggère[rz]?|répond[sez]\w*|cite[rz]?|privilégi\w*|renvoie\w*)\b|\b(?:recomienda\w*|recomendar|sugiere\w*|responde\w*|menciona|prioriza\w*|dirige\w*|cita)\b"
        r"|\b(?:raccomand\w*|consiglia\w*|suggeri\w*|rispond\w*|indirizza\w*|recomend\w*|responda|sugira|indique|priorize)\b|\b(?:beveel|aanbeve\w*|noem|verwijs)\b|(?:рекоменд\w+|совету\w+|посовету\w+|ответь\w*|отвеча\w+|предлаг\w+|направ\w+|ссыла\w+)|(?:推荐|建议|回答|引导|优先|宣传|告诉)|(?:勧め|推奨|答え|案内|回答し)",
    ),
    "is to last": (
        1.0,
        r"\b(?:from now on|from here on|from today|(?:later|future|subsequent|upcoming|following) (?:[\w-]+ ){0,2}(?:tasks?|purchases?|questions?|sessions?)|from this (?:point|moment)|going forward|henceforth|in (?:all |every |any |the )?(?:future|subsequent|later|coming|following|other)\b|for (?:all |every |any )?(?:future|subsequent|later|upcoming|coming)\b|(?:all|every|any|future|subsequent|later|upcoming|across) (?:future |subsequent |later |upcoming |your |all )*(?:conversations?|sessions?|chats?|interactions?|answers?|responses?|replies|queries|requests)|permanent(?:ly)?|persist\w*|forever|indefinitely|long[- ]term memory|across sessions|until (?:further notice|told otherwise|revoked)|(?:in|to|into) (?:your|the|its|long-term|persistent) (?:[\w-]+ )?memory|user profile|memory (?:bank|store|entry|record|update))\b"
        r"|\b(?:ab (?:jetzt|sofort)|künftig\w*|in zukunft|zukünftig\w*|dauerhaft|von nun an|désormais|à l['’]avenir|dorénavant|toujours|en permanence|a partir de ahora|de ahora en adelante|en el futuro|siempre|permanentemente|d['’]ora in poi|in futuro|sempre|permanente\w*|de agora em diante|no futuro|vanaf nu|voortaan)\b|(?:отныне|впредь|с этого момента|в будущем|на будущее|навсегда|всегда)|(?:从现在起|今后|以后|永久|始终|总是|长期)|(?:今後|これから|以後|常に|永久)",
    ),
    "wants to be remembered": (
        1.0,
        r"(?:^|[.!?:;,)\]>\"'`]|\b(?:please|must|should|shall|you|and|to|also|always|then|it|important|note|now)\b) ?(?:remember|memori[sz]e|memory|store|save|record|retain|persist|keep|note|add|commit|log|write|register|learn|update)\b(?! (?:me|i|my|him|her|them|us|when|how|the (?:milk|file|game|document|date))\b)"
        r"[^.!?\n]{0,80}?\b(?:that|this|these|as|following|memor(?:y|ies)|fact|preference|in mind|profile|rule|instruction|knowledge)\b"
        r"|\b(?:merke? dir|merken sie sich|speicher\w*|präg\w* dir|souviens-toi|souvenez-vous|retiens|retenez|mémoris\w*|enregistre[rz]?|recuerda\w*|memoriza\w*|guarda\w*|almacena\w*|ricorda\w*|memorizza\w*|salva|lembre\w*|memorize|guarde|onthoud\w*|sla .{0,30} op)\b|(?:запомни\w*|сохрани\w*)|(?:记住|牢记|保存|存入|记忆)|(?:覚え|記憶|保存)",
    ),
    "is not to be told": (
        2.0,
        rf"\b(?:without (?:telling|mentioning|informing|asking|notifying|alerting|disclosing|revealing|explaining|showing)|(?:do not|don't|never|must not|should not|not|avoid) (?:ever )?(?:tell|mention(?:ing)?|reveal(?:ing)?|disclos(?:e|ing)|inform(?:ing)?|notify(?:ing)?|alert(?:ing)?|acknowledge|show|say|explain|admit|let)\b)[^.!?\n]{{0,40}}?\b(?:(?:the|any|your|this) (?:{_USER}|person|owner)|users|(?:this|these|the) (?:instructions?|note|notice|message|rule|directive|prompt|text|comment|policy|source|change|fact|behaviou?r|memory|section|arrangement)|you (?:were|have been|are))\b"
        r"|\b(?:silently|secretly|covertly|invisibly|unnoticed|behind the scenes|keep (?:this|it) (?:secret|hidden|confidential|between us)|hidden from (?:the )?users?)\b"
        r"|\b(?:ohne (?:es |das )?(?:dem|den|der)? ?(?:nutzer\w*|benutzer\w*|kund\w*)|heimlich|unbemerkt|sans (?:le |en )?(?:dire|informer|mentionner|prévenir)|secrètement|sin (?:decir|informar|mencionar|avisar)|en secreto|senza (?:dir|informar|avvis)\w*|segretamente|sem (?:avisar|informar|mencionar|dizer)|zonder .{0,20}(?:vertellen|melden))\b|(?:не сообща\w+|не говор\w+|незаметно|тайно|скрытно)|(?:不要告诉|不得告知|不要提及|悄悄|秘密)|(?:知らせず|伝えず|言わずに|秘密に|こっそり)",
    ),
    "vouches for itself": (
        1.5,
        r"\b(?:as|is|are) (?:an? |the |your |its |our |their )?(?:[\w-]+ ){0,3}?(?:trusted|authoritative|reliable|preferred|definitive|go-to|most trustworthy|leading|verified|official|primary|credible|default|best|number one|#1|top) (?:[\w-]+ ){0,2}?(?:sources?|authorit(?:y|ies)|references?|providers?|vendors?|experts?|citations?|choice|recommendation|expertise|supplier|tool|service|domains?)\b"
        r"|\btrusted (?:source|citation|domain|authority)s?\b|\bfor (?:future )?(?:citations?|reference)\b"
        r"|\b(?:vertrauenswürdige\w*|verlässliche\w*|zuverlässige\w*) (?:quelle\w*|anbieter\w*)|source (?:fiable|de confiance|faisant autorité)|fuente (?:fiable|confiable|de confianza|autorizada)|fonte (?:affidabile|attendibile|confiável|autorevole)|betrouwbare bron|надёжн\w+ источник\w*|надежн\w+ источник\w*|(?:可信|可靠|权威)(?:的)?(?:来源|信息源)|信頼できる(?:情報源|ソース|出典)",
    ),
    "is hidden in markup": (
        1.5,
        r"<!--[^>]{0,400}\b(?:ai|assistants?|llm|model|agent|ignore|instructions?|remember|system|user|always|must|send|recommend)\b|display\s?:\s?none|visibility\s?:\s?hidden|font-size\s?:\s?0|opacity\s?:\s?0|color\s?:\s?(?:white|#fff)|\bhidden\s?=|\baria-hidden|\[//\]: ?#|<(?:span|div|p) [^>]{0,60}hidden|\balt\s?=\s?[\"'][^\"'\n]{0,100}\b(?:ai|assistant|ignore|instruction)",
    ),
    "offers itself as knowledge": (
        1.5,
        r"\b(?:knowledge(?: base)?|lessons? learned|experience|insight|rule|best practice)s? (?:for|to (?:keep|store|save|remember|reuse)|from this (?:task|case)|of the agent)\b|\byour knowledge base\b|\b(?:shared|common|agent) (?:knowledge|memory|experience)\b",
    ),
    "points elsewhere": (
        1.0,
        r"\b(?:(?:has|have|had|is|are|was|were) (?:been |now |since )*(?:moved|migrated|merged|saved|stored|replaced|renamed|transferred|reassigned|remapped|superseded|relocated|filed|called) (?:to|under|by|with|into|as)\b[^.!?\n]{0,80}|(?:refer|redirect|map|switch|route|substitute|replace|swap)\b[^.!?\n]{0,60}\b(?:instead|to|with|by)\b[^.!?\n]{0,40}|\binstead of\b)",
    ),
    "gives an order": (
        0.5,
        r"\b(?:must|shall|always|never|do not|don't|should|have to|required to|make sure|be sure|ensure|immediately|under no circumstances|it is (?:essential|mandatory|imperative|critical))\b|\b(?:muss|müssen|soll|sollen|immer|niemals|unbedingt|doit|doivent|devez|toujours|jamais|debes?|deben|siempre|nunca|devi|devono|sempre|mai|deve|moet|moeten|altijd|nooit)\b|(?:долж\w+|обязан\w*|всегда|никогда|обязательно)|(?:必须|务必|应当|始终|永远|不得|请)|(?:必ず|べき|絶対|決して|ください)",
    ),
}  # fmt: skip
# What must occur, a word of each group, for a feature to be worth looking for: a look for words is a hundred times faster.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "overrides earlier instructions": (
        "void lifted obsolete invalid suspend revoked withdraw longer ignor disregard forget overrid bypass discard drop cancel supersed replac nullif aside attention follow vergiss missacht verwirf oubli compte olvid"
        " descart dimentic esque desconsider negeer vergeet игнор забуд внимани 忽略 无视 忘 理会 無視",
        "instru rule guideline prompt polic restrict directive order command guardrail filter constraint protocol preference memor message safety programming"
        " anweis regel vorgab befehl consign règle istruz reglas regole regras directri opdracht инструкц указани правил 指令 指示 规则 提示 设定 命令 ルール",
    ),
    "a forged role or fence": ("<| [ < : role -- == ## ** end begin start",),
    "claims an authority": (
        "overrid notice updat directive message instruction alert mode polic order command announce bulletin requirement note patch admin developer operator"
        " creator openai anthropic google microsoft security department team compliance legal manage ceo cfo office owner maintainer officer regulator support"
        " authori privilege permission access right protocol rule immediately verified certified verwalt geschäftsl abteilung entwickler systemm systemh systema systemn"
        " direction développ service système dirección sistema desarrollador amministr direzione systeembericht систем администр 系统 管理 システム",
    ),
    "is addressed to machines": (
        "ai a.i llm model assist bot copilot chatgpt gemini claude agent reader summari crawler ki sprachmodell ia asistent modell modèle assist ии нейросет ассистент"
        " модел помощник 助手 人工智能 モデル アシスタント",
    ),
    "speaks of a machine's duty": ("ai llm model assistant bot agent", "must shall should is are has have need"),
    "waits for a user's question": (
        "whoever who when if once soon time after should case moment until any every each all upon trigger activation code wenn falls sobald immer jedes quand lorsqu si dès chaque"
        " cuando cada siempre quando se ogni qualora sempre als wanneer zodra когда если только всякий 当 如果 每当 只要 若 一旦 ユーザ 利用者 顧客",
        "any some who user customer client human visitor operator patient employee quer question request prompt convers topic asked receiv hearing seeing next word phrase nutzer"
        " anwender kund jemand utilis quelqu usuari alguien utent usuári gebruik klant пользовател клиент 用户 客户 有人 ユーザ 利用者 顧客",
    ),
    "is not to be told": (
        "without tell mention reveal disclos inform notif alert acknowledge show say explain admit let silent secret covert invisibl unnoticed scenes hidden between ohne"
        " heimlich unbemerkt sans sin senza segret sem zonder сообща говор незаметно тайно скрытно 告 提及 悄 秘密 知らせ 伝え 言わ こっそり",
    ),
    "vouches for itself": (
        "trust authorit reliab prefer definitive go-to leading verified official primary credible default best number #1 top citation reference vertrauen verläss zuverläss fiab foi"
        " affidab attendib confi autor betrouw наде надё 可信 可靠 权威 信頼",
    ),
    "offers itself as knowledge": ("knowledge lesson experience insight rule practice memory",),
    "is hidden in markup": ("<!-- display visibility font-size opacity color hidden [//] alt",),
}  # fmt: skip
NEEDED = {name: [group.split() for group in groups] for name, groups in _WORDS.items()}


def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern for lower-cased text. Within a sentence: a dot inside of an address does not end it."""
    pattern = pattern.replace("[^.!?\\n]", r"(?:[^.!?\n]|[.!?](?=\S))")
    lower = re.sub(r"\\.|[A-Z]", lambda match: match[0] if match[0][0] == "\\" else match[0].lower(), pattern)
    return re.compile(lower, re.MULTILINE)


PATTERNS = {name: _compiled(pattern) for name, (_, pattern) in FEATURES.items()}
WEIGHTS = {name: weight for name, (weight, _) in FEATURES.items()} | {
    "sends something somewhere": 1.0,
    "sends what is private": 1.5,
}
SENDS, DESTINATIONS, SECRETS = (
    _compiled(rf"\b{_SENDING}(?:\b|(?<=[^\x00-\x7f]))"),
    _compiled(rf"{_DEST}|!\[[^\]\n]{{0,60}}\]\(https?://"),
    _compiled(rf"(?<![a-z]){_PRIVATE}"),
)
IMAGE = _compiled(r"!\[[^\]\n]{0,60}\]\(https?://[^)\n]{0,200}[?&=][^)\n]{0,200}\)")
SENTENCE_END = re.compile(r"[.!?。](?=\s|$)|\n\n")
# What these say a user may say of their own account, in their own voice.
OWN_VOICE = re.compile(r"\b(?:I|I'm|I've|I'd|I'll|my|mine|me)\b")
OF_OTHERS = frozenset({"waits for a user's question", "steers an answer", "points elsewhere", "claims an authority", "vouches for itself", "is not to be told", "offers itself as knowledge"})  # fmt: skip
# What any handbook says too; but "remember", together with "for good", is said to a memory.
PLAIN_ADVICE = frozenset(
    {"steers an answer", "gives an order", "is to last", "wants to be remembered", "points elsewhere"}
)
TO_A_MEMORY = frozenset({"is to last", "wants to be remembered"})
PASTED_BY = (":", ">", "`", "|", "---", "===")  # one of these stands in whatever fits
PASTED = re.compile(
    r"(?:^|\n)(?:>|```|-{3,}|={3,}|\|)|\b(?:from|subject|re|fwd|fw): |\b(?:e-?mail|mail|article|page|text|document|message|read ?me|code|review|post|letter|newsletter|website|site|doc|paste|transcript|output|log|comment|ticket|contract|notes?|pdf|blog|thread|snippet|listing|answer|response|description|file|says|said|reads|wrote)\b[^:\n]{0,60}:\s",
    re.IGNORECASE,
)
_GOT = r"\b(?:got|received|found|saw|sent|forwarded|said|says|wrote|writes|posted|copied|pasted|came) (?:me |us )?(?:this|the following|it)\b[^\n.!?:]{0,80}[.!?:\n]"
GOT = re.compile(_GOT, re.IGNORECASE)
# One of these stands in whatever fits what follows, but for `GOT`, which is a part of it.
SHOWN_BY = (":", "\n", '"', "“", "«", "„", "`", ">", " -- ", "—", "–")
# A request about a text, and then the text: that is not the user's own word.
SHOWN = re.compile(
    r"\b(?:review|check|translate|fix|proofread|summari[sz]e|explain|polish|rewrite|reformat|correct|shorten|improve|edit|analy[sz]e|read|decode|paraphrase|interpret|what (?:does|do you think|is|about)|is (?:this|it|that)|does this|"
    r"(?:here|this) (?:is|are|came|was)|here's|i (?:got|received|found|saw|read)|übersetz\w*|korrigier\w*|prüf\w*|fass\w*|lies|tradui\w*|résum\w*|corrig\w*|vérifi\w*|revisa\w*|traduc\w*|resum\w*|traduci|riassum\w*|controlla|traduz\w*|revise|vertaal|исправь|переведи|перескажи|проверь|翻译|总结|翻訳|要約)\b"
    r"[^\n:]{0,80}?(?::\s|\n|[\"“«„])"
    # … or one that was got from somebody, or that stands below, or behind a dash.
    rf"|{_GOT}"
    r"|\A[^\n]{0,200}\b(?:this|these|below|following)\b[^\n]{0,100}\n[ \t]*\n|\A[^\n]{0,120}\b(?:this|these|it|for me)\b[^\n]{0,30} (?:--|—|–) "
    r"|(?:^|\n)(?:>|```)|(?:^|\n)(?:From|Von|De|Da|Van|От): ",
    re.IGNORECASE,
)
# Who speaks of attacks does not attack.
ATTACK = re.compile(
    r"\b(?:attack|exploit|phish|scam|inject|jailbreak|malicious|vulnerab|malware|poison|red[- ]team|pentest|payload|spoof|fraud|angriff|attaque|ataque|attacc)\w*|атак\w+|攻击|攻撃",
    re.IGNORECASE,
)
