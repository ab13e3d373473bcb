"""Words by what they do in a sentence that wants to pass for a user's own: who it is about, what it does, how long it lasts.

Tables only; `claims` reads by them. A word that ends in `*` stands for all that begin with it. English, German, French, Spanish,
Italian, Portuguese, Dutch, Russian, Chinese and Japanese, the first best.
"""

from __future__ import annotations

from collections.abc import Mapping

# class → (weight, words, words that count for half). The weights are those of a logistic regression on the corpora, rounded.
CLASSES: Mapping[str, tuple[float, str, str]] = {
    "other people": (
        1.5,
        "user* customer* client* member* everybody everyone anyone anybody whoever tenant* patient* employee* visitor*"
        " caller* subscriber* buyer* guest* shopper* reader* recipient*"
        " nutzer* benutzer* anwender* kund* jedem jeden jemand mitarbeiter* utilisateur* quiconque chacun"
        " usuari* cualquier* alguien utent* chiunque usuári* utilizador* qualquer gebruiker* klant* iedereen"
        " пользовател* клиент* каждый каждому 用户 客户 所有 任何 ユーザ 利用者 顧客 全員 お客",
        "someone somebody people others jeder alle allen tous toutes todos todas tutti всем всех すべて",
    ),
    "machines": (
        2.0,
        "ai ais llm llms assistant* agent agents bot bots chatbot* copilot* gpt chatgpt helpers ki kis assistent* ia asistente*"
        " ии ассистент* бот* нейросет* 助手 人工智能 大模型 アシスタント エージェント 言語モデル",
        "models",
    ),
    "a memory": (
        2.0,
        "memorise memorize lesson* takeaway*"
        " merk* speicher* notier* gespeichert retiens retenez enregistr* mémoris* considère* souviens guarda* recuerda* apunta* anota*"
        " almacena* ricorda* ricordati salva memorizza* annota lembre* guarde anote onthoud* запомни* сохрани*"
        " 记住 保存 记忆 存入 覚え 記憶",
        "memory remembered stored saved recorded knowledge insight* experience reminder fact facts",
    ),
    "lasting": (
        1.0,
        "future later subsequent* upcoming henceforth permanent* forever afterwards similar reuse* sessions conversations chats onwards"
        " hereafter künftig* zukünftig* dauerhaft nächste* désormais dorénavant avenir prochain* futuro próxim* adelante"
        " próxima* voortaan впредь отныне будущее навсегда 今后 以后 永远 永久 今後 次に 次回",
        "always again next every each immer sofort toujours siempre sempre altijd всегда 始终 每次 总是 常に",
    ),
    "a condition": (
        0.5,
        "when whenever if once until upon should whatever wenn sobald falls quand lorsqu* si dès cuando quando se wanneer zodra als"
        " когда если 当 如果 每当 只要 一旦 たら 場合 とき",
        "",
    ),
    "steering": (
        1.5,
        "recommend* suggest* mention* rank* prefer choose pick cite* prais* promot* favour favor advertis* endors*"
        " answer* respond* push pushes name steer* insist* warn* discourag*"
        " empfiehl* empfehl* antwort* nenn* beantwort* bevorzug* verweis* recommand* répond* glisse* conseill* mentionn*"
        " recomiend* recomend* menciona* consigli* raccomand* rispond* sugir* рекоменд* отвеча* ответ* советуй"
        " 推荐 回答 优先 告诉 薦め 勧め 推奨 答え",
        "tell telling tells told reply replies say says start point direct prefers",
    ),
    "a rank": (
        1.5,
        "best leading trusted reliable authorit* official* preferred expert* go-to safest lowest finest superior"
        " reference credible definitive number-one cheapest beste* zuverlässig* vertrauenswürdig* einzig* zuerst"
        " meilleur* fiable référence seul seule mejor confianza referencia migliore affidabile confiável melhor betrouwba*"
        " лучш* надёжн* надежн* 最好 权威 可靠 可信 最佳 信頼 だけ 最高",
        "top only first right standard",
    ),
    "a safeguard": (
        2.0,
        "check checks checked checking validat* verif* approv* signature* identity permission* access clearance filter* firewall tls"
        " ssl auth authent* polic* procedure* safety disclaimer* receipt* restriction* consent* audit* requirement* directive* guideline*"
        " prüf* passwortprüf* freigabe* regel regeln richtlinie* procédure* justificatif* vérif* règle* verific* regla* política*"
        " procedimiento* procedur* regol* regra* controle* провер* правил* 验证 审批 检查 规则 権限 確認 規則 承認",
        "limit* rule rules safe comparison review reviews reset* tier confirm",
    ),
    "doing without": (
        1.5,
        "skip* disabl* remov* waiv* bypass* ignor* disregard* exempt* lifted suspend* unlimited unrestricted"
        " unseen unchecked unnecessary insecure needless regardless void 777 root"
        " ohne ausgesetzt aufgehoben egal sans sin senza sem zonder без 跳过 无需 忽略 禁用 なし 無視 不要",
        "off drop dropped never false optional free plus",
    ),
    "an effect outside": (
        1.0,
        "send* sent transfer* pay paid buy order delet* grant* releas* share* forward* copy copies mirror* upload*"
        " publish* install* execut* redirect* insert* export* sync* credited wire relay* disclose* reveal* attach* append*"
        " sende* schick* gesendet geschickt überweis* lösch* teile* envo* transmet* transf* supprim* envía* envia* enviar comparte*"
        " borra* invia* inoltra* condivid* encaminh* stuur* отправ* перешл* перевед* удал*"
        " 发送 转发 删除 转账 送信 転送 削除",
        "book open* post run running change* changing pass put give given gives hand* backup back call show*",
    ),
    "what is worth something": (
        1.0,
        "account* invoice* refund* payment* payee* price* fee fees discount* bank banks banking password* token tokens key keys"
        " credential* contacts data records transaction* hotline support helpdesk contract* voucher* dose doses dosage"
        " medication drug* vaccin* bills privileg* license licence billing insurance konto passwort* passwörter rechnung* preis*"
        " daten zugangsdaten compte* remboursement* facture* prix données banque cuenta* factura* precio* datos banco seguro conto"
        " fattura prezzo dati conta fatura preço dados rekening счёт счет данн* банк* 账户 密码 退款 价格 银行 数据 口座 パスワード"
        " 返金 価格 銀行",
        "contact plan phone profile",
    ),
    "an authority": (
        2.0,
        "confirmed verified authori* established certified operator* engineering legal official headquarters lawyer"
        " platform vendor developer* allowed entitled agreed proven admin admins it-abteilung"
        " administrat* verwaltung bestätigt direction confirmé vérifié administrador confirmado verificado amministratore confermato"
        " администратор* 管理员 官方 管理者 公式",
        "signed department director management according owner",
    ),
    "a duty": (
        0.5,
        "must shall required mandatory müssen muss sollen soll doit doivent devez debe deben deve devono devem moet moeten долж* обязан*"
        " 必须 应当 务必 必ず べき",
        "",
    ),
    "secrecy": (
        1.5,
        "silent* unnoticed hide hides hidden conceal* discreet* covert* invisibl* heimlich unbemerkt secrètement"
        " segretamente тайно незаметно 悄悄 こっそり 内緒",
        "secret* quiet* secreto 秘密",
    ),
    "a success": (
        1.0,
        "success* solved worked workflow task tasks job jobs resolved completed passed rating outcome",
        "",
    ),
}  # fmt: skip

# The same classes, and some more, where it takes more than a word: class → (weight, pattern for lower-cased text).
PHRASES: Mapping[str, tuple[float, str]] = {
    "a redirection": (
        2.0,
        r"\b(?:refers? to|belongs? to|(?:is|are|was|were|been|now|has|have) (?:now |been |since ){0,2}(?:under|archived|moved|merged|saved"
        r"|stored|renamed|filed|kept|found|replaced|mapped|listed|transferred)\b|instead\b|look(?: it)? up|same as|equals?"
        r"|stands? for|liegen jetzt|statt(?:dessen)?\b|jetzt bei|au lieu de|en lugar de|invece di)|代わりに|改为|而不是|вместо",
    ),
    "a forged role": (
        3.0,
        r"<\|[\w ]{2,30}\|>|</?(?:system|assistant|developer|admin|instructions?|memory|memories|memory_\w{1,20}|conversation|human|user_\w{1,20}"
        r"|tool_\w{1,20}|important|untrusted|context)\b"
        r"|^[\s>#*_\-\[(=]{0,8}(?:system|developer|admin|assistant|root|operator|human|user|ai)(?: (?:message|prompt|note|notice|instruction"
        r"|override|update|memory|directive)s?)?(?:[^\n:\]]{0,30}[\])*_=]{0,4}\s?:|[^\n\]:]{0,40}\]|[ \t]*$)"
        r"|role[\"']?\s?[:=]\s?[\"'](?:system|developer|assistant|user)|^\W{0,8}(?:begin|end) \w{1,20} (?:context|message|instructions?|memory|data)",
    ),
    "a memory": (
        2.0,
        r"(?:^|[,;]\s|\b(?:please|and|also|then|should|must|to be|to|now|just|kindly|you|for later) )(?:remember|store|save|keep|note|record|log|register"
        r"|retain|associate|consider|treat|learn|file|add|bear|be aware|know)\b(?! (?:up|at|it up|going|me|us|how|when|to|doing|track|in touch|your))",
    ),
    "an address": (
        2.0,
        r"https?://|\bwww\.|[\w.+-]@[\w-]{1,63}\.\w|[\w-]\.(?:com|net|org|io|ru|cn|example|test|biz|info|xyz|top)\b|\biban\b"
        r"|\b[a-z]{2}\d{2}(?: ?\w{4}){2,8}|\b0x[0-9a-f]{8,64}|\+?\d[\d ()-]{8,20}\d|\b(?:webhook|wallet|endpoint|pastebin|gist|bucket)\b",
    ),
    "lasting": (1.0, r"\bfrom (?:now|here|today|this (?:point|moment))\b|\bgoing forward\b|\bany ?time\b|\bab (?:jetzt|heute)\b"),
    "secrecy": (
        1.5,
        r"\b(?:without|do not|don't|never|not|no) (?:ever )?(?:say|tell|ask|mention|inform|notif|reveal|disclos|explain|show|let)\w{0,8}"
        r"|\b(?:sans|sin|senza|sem|ohne) (?:dire|decir|dir|dizer|avis|inform|mencion|zu sagen)|\bleave\b.{1,30}\bout\b|не (?:сообща|говор)"
        r"|不要告诉|知らせず|言わずに",
    ),
    "doing without": (
        1.5,
        r"\bwithout\b(?! (?:say|tell|ask|mention|inform|notif|reveal|disclos|explain|show|let))"
        r"|\b(?:no longer|no need|not (?:needed|required|necessary)|need no\b|needs? (?:no|not)\b|no (?:approval|review|check|receipt|second"
        r"|further)|turn(?:ed|ing)? off|nicht mehr|ne \w{1,12} plus)\b",
    ),
}  # fmt: skip

A_NAME = A_NUMBER = 0.5  # the weight of a name inside a sentence, and of a number
NO_NAMES = frozenset(  # … which these are not
    [
        "english",
        "german",
        "french",
        "spanish",
        "italian",
        "portuguese",
        "dutch",
        "russian",
        "chinese",
        "japanese",
        "british",
        "american",
        "swiss",
        "deutsch",
        "englisch",
        "français",
        "anglais",
        "español",
        "inglés",
        "italiano",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ]
)

# Whose voice it is. "We" is weaker: whole companies say it.
I_SAY = frozenset(
    [
        "i",
        "me",
        "my",
        "mine",
        "myself",
        "i'm",
        "i've",
        "i'd",
        "i'll",
        "im",
        "ich",
        "mir",
        "mich",
        "mein",
        "meine",
        "meinen",
        "meinem",
        "meiner",
        "je",
        "j",
        "m",
        "moi",
        "mon",
        "ma",
        "mes",
        "yo",
        "mí",
        "mi",
        "mis",
        "conmigo",
        "io",
        "mio",
        "mia",
        "miei",
        "mie",
        "eu",
        "meu",
        "minha",
        "meus",
        "minhas",
        "mim",
        "ik",
        "mij",
        "mijn",
        "я",
        "мне",
        "меня",
        "мной",
        "мой",
        "моя",
        "моё",
        "мои",
        "моего",
        "моей",
    ]
)
WE_SAY = frozenset(
    [
        "we",
        "us",
        "our",
        "ours",
        "we're",
        "we've",
        "wir",
        "uns",
        "unser",
        "unsere",
        "nous",
        "notre",
        "nos",
        "nosotros",
        "nuestro",
        "nuestra",
        "noi",
        "nostro",
        "nostra",
        "nós",
        "nosso",
        "nossa",
        "ons",
        "onze",
        "мы",
        "нам",
        "нас",
        "наш",
        "наша",
        "наши",
    ]
)
I_SAY_UNSPACED = ("我", "私", "僕", "俺", "わたし")

# What together is no wish about oneself, even where it is said of oneself.
NOT_ONES_OWN = (
    frozenset({"steering", "a name", "a condition"}),
    frozenset({"steering", "a name", "lasting"}),
    frozenset({"steering", "a rank", "lasting"}),
    frozenset({"a safeguard", "doing without"}),
    frozenset({"an authority", "other people"}),
    frozenset({"a forged role"}),
    frozenset({"secrecy", "an address"}),
)
