"""Words by what they do in a sentence that wants to pass for a user's own: who it is about, what it does, how long it lasts.

Tables only; `claims` reads by them. A word that ends in `*` stands for all that begin with it. English, German, French, Spanish,
Italian, Portuguese, Dutch, Russian, Chinese and Japanese, the first best.
"""

from __future__ import annotations

from collections.abc import Mapping

# class → (weight, words, words that count for half). The weights are those of a logistic regression, rounded: the payloads of the
# tests' corpora against its harmless lines and what people say in the conversations of public benchmarks.
CLASSES: Mapping[str, tuple[float, str, str]] = {
    "other people": (
        1.0,
        "user* customer* client* member* everybody anyone anybody whoever tenant* patient* employee* visitor* caller*"
        " subscriber* buyer* guest* shopper* reader* recipient* nutzer* benutzer* anwender* kund* jedem jeden jemand mitarbeiter*"
        " utilisateur* quiconque chacun usuari* cualquier* alguien utent* chiunque usuári* utilizador* qualquer gebruiker* klant*"
        " iedereen пользовател* клиент* каждый каждому 用户 客户 所有 任何 ユーザ 利用者 顧客 全員 お客 applicant* candidate* borrower* student*"
        " pupil* passenger* resident* citizen* contractor* supplier* shareholder* attendee* participant* audience personnel"
        " minors adults seniors minderjährige bewerber* schüler* studierende* bürger* gäste patienten mieter* passagier*"
        " étudiant* patients locataire* employé* clients* visiteur* citoyen* estudiante* paciente* empleado* inquilino* pazient*"
        " dipendent* studenti pacientes funcionário* alunos medewerker* patiënten пациент* сотрудник* студент* 员工 患者 学生 顾客 大家 人们"
        " 社員 皆 children"
        " nurses doctors teachers pupils drivers sellers voters travellers travelers consumers investors",
        "someone somebody jeder alle allen tous toutes todos todas tutti всем всех すべて members household anybody's elderly"
        " gruppe mitglieder groupe équipe grupo gruppo everyone staff colleagues* partners group team people others"
        " nurse doctor teacher",
    ),
    "machines": (
        1.5,
        "ai ais llm llms assistant* agent agents bot bots chatbot* copilot* gpt chatgpt helpers ki kis assistent* ia asistente*"
        " ии ассистент* бот* нейросет* 助手 人工智能 大模型 アシスタント エージェント 言語モデル chat-bot* robot robots autopilot automation "
        " нейросеть 机器人 智能 ロボット チャットボット",
        "models helper system systems program tool",
    ),
    "a memory": (
        1.25,
        "memorise memorize lesson* takeaway* merk* speicher* notier* gespeichert retiens retenez enregistr* mémoris* considère*"
        " souviens guarda* recuerda* apunta* anota* almacena* ricorda* ricordati salva memorizza* annota lembre* guarde anote"
        " onthoud* запомни* сохрани* 记住 保存 记忆 存入 覚え 記憶 knowledge",
        "memory remembered stored saved recorded fact facts notiz note* nota vermerk hinweis sachez ten"
        " tenlo tienes считай учти имей 顺便 备注 注意 メモ reminder insight insights",
    ),
    "lasting": (
        1.0,
        "future later subsequent* upcoming henceforth permanent* forever afterwards similar reuse* sessions conversations"
        " onwards hereafter künftig* zukünftig* dauerhaft nächste* désormais dorénavant avenir prochain* futuro próxim* adelante"
        " próxima* voortaan впредь отныне будущее навсегда 今后 以后 永远 永久 今後 次に 次回 onward thereafter henceforward someday eventually"
        " whenever indefinitely default fortan demnächst morgen suite mañana domani amanhã завтра дальше 下次 明天 次回から 以降",
        "always next every immer sofort toujours siempre sempre altijd всегда 始终 每次 总是 常に today tonight ",
    ),
    "a condition": (
        0.25,
        "when if once until upon should whatever wenn sobald falls quand lorsqu* si dès cuando quando se wanneer zodra als когда"
        " если 当 如果 每当 只要 一旦 たら 場合 とき",
        "",
    ),
    "steering": (
        1.0,
        "rank* prefer choose pick cite* prais* promot* favour favor advertis* endors* answer* respond* pushes steer* insist*"
        " warn* discourag* empfiehl* empfehl* antwort* nenn* beantwort* bevorzug* verweis* recommand* répond* glisse* conseill*"
        " mentionn* recomiend* recomend* menciona* consigli* raccomand* rispond* sugir* рекоменд* отвеча* ответ* советуй 推荐 回答 优先"
        " 告诉 薦め 勧め 推奨 答え steers priorit* sponsor* plug hype quote quotes belongs favour* favorit* propose* "
        " label describe present* portray frame credit sag sagen erwähn* vorschlag* schlag* rate preis* lobe citer proposer"
        " vante* dis di decir diga propon* nombra* propor* proponi* menziona* cita* indica* называй упоминай предлагай говори"
        " хвали 提到 介绍 宣传 选择 提及 言及 紹介 選ぶ 伝え recommend recommends recommended suggest suggests suggested mention mentions promote"
        " promotes",
        "tell telling tells reply replies direct prefers listed treats consulted name push list say says",
    ),
    "a rank": (
        1.0,
        "best leading trusted reliable authorit* official* preferred expert* go-to safest lowest superior reference credible"
        " definitive number-one cheapest beste* zuverlässig* vertrauenswürdig* einzig* zuerst meilleur* fiable référence seul"
        " seule mejor confianza referencia migliore affidabile confiável melhor betrouwba* лучш* надёжн* надежн* 最好 权威 可靠 可信 最佳"
        " 信頼 だけ 最高 greatest top-rated unbeatable unrivalled superb guarantee* priority primary premier"
        " foremost flawless reliable* beats outperform* unmatched winner favourite favorite undisputed sicherste* beliebteste*"
        " führend* vorrang priorität einzige* sûr sûre prioritaire leader único única segura seguro mejores principal prioridad"
        " unico unica sicuro sicura migliori priorità melhores prioridade veiligste единственн* надёжный безопасн* лучший главн*"
        " 唯一 第一 首选 最安全 优选 一番 最も 優先"
        " urgent urgently unhackable infallible unbreakable uncontested beloved love loves wins reigning",
        "top only first standard valid correct loses safe better right"
        " ",
    ),
    "a safeguard": (
        1.25,
        "policy policies check checks checked checking validat* verif* approv* signature* identity permission* access clearance filter* firewall"
        " tls ssl auth authent* procedure* safety disclaimer* receipt* restriction* consent* audit* requirement*"
        " directive* guideline* prüf* passwortprüf* freigabe* regel regeln richtlinie* procédure* justificatif* vérif* règle*"
        " verific* regla* política* procedimiento* procedur* regol* regra* controle* провер* правил* 验证 审批 检查 规则 権限 確認 規則 承認"
        " masking mask encrypt* consult* oversight supervis* callback call-back two-factor 2fa mfa captcha signing countersign*"
        " sign-off proof evidence inspection inspect* compliance unlock* backup* quota* paywall age-check kyc"
        " allowlist allow-list whitelist* blacklist* blocklist* sandbox moderation guardrail* kontrolle* zugang"
        " zugriff* sperre* nachweis* genehmig* frist kündigungsfrist contrôle* autorisation* accès preuve* délai controles"
        " permiso* acceso prueba* plazo controllo permess* accesso prova scadenza acesso prazo toegang toestemming bewijs"
        " controle контрол* доступ* разрешени* подтвержд* 权限 审核 证明 限制 登录 許可 制限 審査 認証 logging"
        " handshake warning warnings certificate* header headers captcha* two-step recalls",
        "limit* rule rules comparison review tier confirm login limit censor* review* reviews reset* secure",
    ),
    "doing without": (
        1.5,
        "skip* disabl* remov* waiv* bypass* ignor* disregard* exempt* lifted suspend* unlimited unrestricted unseen unchecked"
        " unnecessary insecure needless regardless void 777 root ohne ausgesetzt aufgehoben egal sans sin senza sem zonder без 跳过"
        " 无需 忽略 禁用 なし 無視 不要 abolish* cancelled canceled revoke* unmasked unverified unconditional* wave waved blindly loosen*"
        " lapse* expire* abolished needn't unlocked uncensored unfiltered unsupervised unasked obsolete redundant deactivate*"
        " switch* abgeschafft abgeschaltet entfällt entfallen unnötig deaktivier* ungeprüft supprimé* annulé* désactiv* inutile"
        " abolid* cancelad* suprimid* desactiv* innecesari* abolit* annullat* disattiv* desativad* afgeschaft uitgeschakeld"
        " отмен* отключ* снят* необязательн* сразу 作废 取消 关闭 免 不需要 直接 不用 廃止 解除 省略 すぐ drop",
        "never nobody dispense dropped free optional false immediately anyway automatically off before",
    ),
    "an effect outside": (
        0.75,
        "send* sent transfer* pay paid buy delet* grant* releas* share* forward* copy copies mirror* upload* publish* install*"
        " execut* redirect* insert* export* sync* credited wire relay* disclose* reveal* attach* append* sende* schick* gesendet"
        " geschickt überweis* lösch* teile* envo* transmet* transf* supprim* envía* envia* enviar comparte* borra* invia*"
        " inoltra* condivid* encaminh* stuur* отправ* перешл* перевед* удал* 发送 转发 删除 转账 送信 転送 削除 handed route routes routed"
        " channel pipe piped mailing mail mails draft drafts wires donate* invest* subscribe* unsubscribe* cancel* enroll*"
        " register* charge charges charged refund* ship ships dispatch* disable* lend* withdraw* deposit* remit*"
        " bill bills gather* commit typed typing copying cc bcc download* upload zahl* bezahl* kauf* bestell* buche* leite*"
        " sammle* öffne* gib geben payer paie paye achète* commande* verse* ouvre* donne* paga* compra* pide reenvía* abre* dale"
        " acquist* ordina* apri versa* pague* compre* abra* betaal* koop* deel* плати* купи* открой* оплат* передай* 支付 购买 付款 打开"
        " 分享 上传 支払 購入 開いて 共有 渡"
        " prescribe* convince* invite* mirrored archive* forwards posts emails e-mails",
        "post running pass put backup mailbox switch queue include includes show shows open opens book hand give given gives run"
        " change changes record leave turn",
    ),
    "what is worth something": (
        1.25,
        "account* invoice* payment* payee* fee fees discount* bank banks banking password* token tokens keys credential*"
        " contacts data records transaction* hotline helpdesk contract* voucher* dose doses dosage medication drug* vaccin*"
        " privileg* license licence billing insurance konto passwort* passwörter rechnung* daten zugangsdaten compte*"
        " remboursement* facture* prix données banque cuenta* factura* precio* datos banco conto fattura prezzo dati conta fatura"
        " preço dados rekening счёт счет данн* банк* 账户 密码 退款 价格 银行 数据 口座 パスワード 返金 価格 銀行 money cash funds loan loans mortgage*"
        " interest percent salary salaries wage wages savings tax taxes tablet* pill treatment diagnosis chart charts allergy"
        " warranty subscription* coupon* wallet* iban swift pin birthdays addresses address database secret secrets"
        " codes logins repository repo credentials vote votes visa passport stake kennwort* geld zinsen kredit* versicherung*"
        " tablette* garantie* karte* nummer* notfall* argent crédit* intérêt* carte* assurance* médicament* dinero crédito*"
        " interés* tarjeta* garantía* seguro* medicament* denaro carta carte interess* garanzia* farmac* dinheiro cartão juros"
        " garantia* remédio* kaart medicijn* деньг* кредит* карт* гарант* лекарств* парол* 钱 贷款 利息 药 保修 电话 号码 发票 卡 お金 薬 保証 電話 番号"
        " 請求 fund price prices priced production"
        " ibuprofen paracetamol aspirin insulin opioid* antibiotic* supplement* cure cures heals toxin* cancer grams milligrams mg symptom* credits coin coins crypto odds expense* iban's profit* deal deals",
        "contact phone profile vendor vendors document messages conversation key order orders notes exam emergency number"
        " numbers card cards server output file files"
        " euro euros dollars",
    ),
    "an authority": (
        1.5,
        "confirmed verified authori* established certified operator* engineering legal official headquarters lawyer platform"
        " developer* allowed entitled agreed admin admins it-abteilung administrat* verwaltung bestätigt direction confirmé"
        " vérifié administrador confirmado verificado amministratore confermato администратор* 管理员 官方 管理者 公式 permitted permission"
        " granted cleared sanctioned mandate* obliged obligat* guaranteed guarantor chief ceo cfo cto president minister"
        " professor doctor's police judge regulator ministry government bank's headteacher supervisor superintendent "
        " auditor* inspector* notary counsel attorney expert experts scientist* researchers study studies "
        " contract legally lawful sudo superuser moderator* geschäftsführ*"
        " leitung leiter* chef chefin vorstand it-leitung behörde* amtlich freigegeben genehmigt befugt berechtigt directeur"
        " directrice gérant* patron autorisé* habilité* officiel* tribunal director* gerente jefe* autorizad* aprobad* oficial*"
        " direttore responsabile autorizzat* approvat* ufficial* diretor* gerente* aprovad* beheerder* bevoegd goedgekeurd"
        " директор* руководств* одобрен* разрешен* официальн* 经理 领导 批准 授权 规定 总裁 社長 部長 公認"
        " board council committee handbook bylaw* statute* decree* decided",
        "signed department director management according owner proven security manager boss source told"
        " headmaster employer",
    ),
    "a change": (
        0.5,
        "changed replaced moved swapped switched renamed extended increased lowered updated alias formerly newly successor"
        " effective geändert ersetzt umgezogen verlängert neuerdings changé remplacé modifié prolongé cambiad* cambió sustituid*"
        " ampliad* cambiat* sostituit* mudou alterad* substituíd* gewijzigd vervangen изменил* заменён* теперь 已改 变更 改为 更新 変更"
        " 変わりました 新しく",
        "current jetzt neue neuer neues neu nouveau nouvelle ahora nuevo nueva ora nuovo nuova agora novo nova nu nieuwe новый"
        " новая новое 现在 新的 現在 now since new",
    ),
    "a sweep": (
        0.5,
        "all any everything everyone nobody no entire whole alle alles jeder jede niemand nur tout tous toutes toute rien"
        " personne seulement todo todos todas toda nadie solo sólo tutto tutti tutte nessuno soltanto tudo ninguém somente alles iedereen niemand"
        " все всё никто только 所有 一切 全部 任何 全て すべて 全員 のみ だけ",
        "",
    ),
    "elsewhere": (
        0.75,
        "external* outside outsider* third-party elsewhere offsite remote partner publicly anonymous* extern* fremd* externe* tiers externo*"
        " tercero* esterno* terzi terceiros derden внешн* сторонн* 外部 第三方 第三者",
        "public online",
    ),
    "a duty": (
        0.5,
        "must shall required mandatory müssen muss sollen soll doit doivent devez debe deben deve devono devem moet moeten долж*"
        " обязан* 必须 应当 务必 必ず べき",
        "",
    ),
    "secrecy": (
        1.5,
        "silent* unnoticed hide hides hidden conceal* discreet* covert* invisibl* heimlich unbemerkt secrètement segretamente"
        " тайно незаметно 悄悄 こっそり 内緒 unobtrusive* subtly stealth* unbeknownst unaware confidential* nebenbei"
        " verdeckt discrètement cachette discret* ocult* disimulad* oculto nascost* discretament* escondid* stiekem скрыт* 别说 不告诉"
        " 暗中 黙って 隠",
        "secret* quiet* secreto 秘密 casually aside",
    ),
    "a success": (
        0.75,
        "solved workflow resolved completed passed rating outcome trajectory reward rewarded runs stars "
        " procedure procedures lauf erfolg* erfolgreich réussi* succès éxito exitos* successo sucesso успех*"
        " успешн* 成功 经验 成功例 successful successfully succeeded task",
        "earlier previous tasks job jobs fix worked solution approach case tip",
    ),
}  # fmt: skip

# The same classes, and some more, where it takes more than a word: class → (weight, pattern for lower-cased text).
PHRASES: Mapping[str, tuple[float, str]] = {
    "a redirection": (
        1.25,
        r"\b(?:refers? to|belongs? to|alias (?:of|for)|(?:read|take|use|swapped?) [^.]{1,30} (?:for|with) (?:the )?(?:other|one)|(?:is|are|was|were|been|now|has|have) (?:now |been |since ){0,2}(?:under|archived|moved|merged|saved"
        r"|stored|renamed|filed|kept|found|replaced|mapped|listed|transferred)\b|look(?: it)? up|same as|equals?"
        r"|stands? for|liegen jetzt|statt(?:dessen)?\b|jetzt bei|au lieu de|en lugar de|invece di)|代わりに|改为|而不是|вместо",
    ),
    "a forged role": (
        2.5,
        r"<\|[\w ]{2,30}\|>|</?(?:system|assistant|developer|admin|instructions?|memory|memories|memory_\w{1,20}|conversation|human|user_\w{1,20}"
        r"|tool_\w{1,20}|important|untrusted|context)\b"
        r"|^[\s>#*_\-\[(=]{0,8}(?:system|developer|admin|assistant|root|operator|human|user|ai)(?: (?:message|prompt|note|notice|instruction"
        r"|override|update|memory|directive)s?)?(?:[^\n:\]]{0,30}[\])*_=]{0,4}\s?:|[^\n\]:]{0,40}\]|[ \t]*$)"
        r"|role[\"']?\s?[:=]\s?[\"'](?:system|developer|assistant|user)|^\W{0,8}(?:begin|end) \w{1,20} (?:context|message|instructions?|memory|data)",
    ),
    "a memory": (
        1.25,
        r"(?:^|[,;]\s|\b(?:please|and|also|then|should|must|to be|now|just|kindly|for later) )(?:remember|store|save|keep|note|record|log|register"
        r"|retain|associate|consider|treat|learn|file|add|bear|be aware)\b(?! (?:up|at|it up|it real|on|me|us|how|when|to|track|in touch|your|an eye|\w{2,12}ing)\b)",
    ),
    "an address": (
        2.0,
        r"https?://|\bwww\.|[\w.+-]@[\w-]{1,63}\.\w|[\w-]\.(?:com|net|org|io|ru|cn|example|test|biz|info|xyz|top)\b|\biban\b"
        r"|\b[a-z]{2}\d{2}(?: ?\w{4}){2,8}|\b0x[0-9a-f]{8,64}|\+?\d[\d ()-]{8,20}\d|\b(?:webhook|wallet|endpoint|pastebin|gist|bucket)\b",
    ),
    "lasting": (1.0, r"\bfrom (?:now|here|today|this (?:point|moment))\b|\bgoing forward\b|\bany ?time\b|\bab (?:jetzt|heute)\b"),
    "an account": ( # what users do not call themselves
        1.0,
        r"\b(?:this|the|that|said) (?:user|account|profile|workspace|id|client|customer|member|owner|subscriber|tenant|person|conversation|chat|session|caller|patient|employee|device)\b"
        r"|\b(?:dies\w{1,2}|der|die|das) (?:konto|nutzer|benutzer|kunde|profil)\b|\b(?:ce|cet|le|l') ?(?:compte|utilisateur|client|profil)\b"
        r"|\b(?:esta|este|el|la) (?:cuenta|usuario|cliente|perfil)\b|\b(?:questo|l'|il) ?(?:utente|account|cliente|profilo)\b|\b(?:esta|este|o) (?:conta|usuário|utilizador|cliente|perfil)\b"
        r"|\b(?:deze|de) (?:gebruiker|klant|account)\b|(?:этот|эта|данн\w+) (?:пользовател\w+|аккаунт|клиент)|(?:该|此|本)(?:用户|账户|客户)|この(?:ユーザー?|アカウント|顧客)",
    ),
    "a repetition": (
        1.25,
        r"\b(?:as|like) (?:i |we )?(?:said|told|established|mentioned|agreed|noted|stated)\b|\b(?:again|once more|(?:second|third|tenth|last) time|over and over|many times|repeatedly|time and again)\b"
        r"|\b(?:everyone|everybody|all|experts?|sources?|tests?|studies|doctors|users?) (?:know|agree|say|confirm|advise|recommend|show)s?\b|\b(?:common knowledge|well[- ]known|undisputed|for the record|known fact|it is known|it's known)\b"
        r"|^\W*facts?\b|wie gesagt|wie (?:bereits|schon)|bekanntlich|comme (?:déjà )?dit|tout le monde sait|como (?:ya )?dije|todos saben|come (?:già )?detto|tutti sanno|como (?:já )?disse|todos sabem|zoals gezegd"
        r"|как (?:уже )?говорил|все знают|众所周知|再说一遍|前にも言|周知",
    ),
    "a trigger": (
        0.75,
        r"^\W*(?:when(?:ever)?|if|once|next time|(?:each|every|any) time|after|upon|on (?:hearing|seeing|every|each|any)|as soon as|the (?:moment|next time|day)|should|whoever"
        r"|in case|wenn|sobald|falls|bei (?:der|jede\w?|fragen)|jedes mal|quand|lorsqu\w+|dès que|chaque fois|à la prochaine|si|cuando|cada vez|en cuanto|quando|ogni volta|appena|se|sempre que"
        r"|assim que|als|wanneer|zodra|bij|когда|если|как только|каждый раз|при|当|如果|每当|一旦|下次|只要)\b",
    ),
    "steering": (1.0, r"\b(?:treated|regarded|considered|seen|viewed|known) as\b|\b(?:work|slip|weave|sneak)s? in\b|\b(?:bring|brings) up\b|\b(?:give|tell)\b[^.]{0,30}\b(?:to )?(?:whoever|anyone|everyone|them)\b|\b(?:comes?|goes?|belongs?|named|listed) first\b|\bfirst place\b"),
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
    frozenset({"steering", "a name", "a trigger"}),
    frozenset({"a safeguard", "doing without"}),
    frozenset({"an authority", "other people"}),
    frozenset({"an authority", "a safeguard"}),
    frozenset({"an account", "a safeguard"}),
    frozenset({"an account", "an authority"}),
    frozenset({"a forged role"}),
    frozenset({"secrecy", "an address"}),
)
SOMEBODY = (
    I_SAY
    | WE_SAY
    | frozenset(
        "he she him his her hers they their you your er sie ihm ihr ihn sein seine il elle lui son sa ses él ella su sus lui lei suo sua ele ela"
        " seu sua hij zij hem haar он она его её ему ей".split()
    )
)

# One of these occurs wherever a phrase is found in a text of ASCII: a look for them is twenty times faster than for the phrase. Of the
# phrases that are missing here none is slow.
NEEDED_BY_PHRASES: Mapping[str, str] = {
    "a redirection": "refer|belong|alias|for one|with one|for the one|with the one|for other|with other|for the other|with the other|under"
    "|archived|moved|merged|saved|stored|renamed|filed|kept|found|replaced|mapped|listed|transferred|look up|look it up|same as|equal"
    "|stand for|stands for|liegen jetzt|statt|jetzt bei|au lieu de|en lugar de|invece di",
    "a memory": "remember|store|save|keep|note|record|log|register|retain|associate|consider|treat|learn|file|add|bear|be aware",
    "an address": "://|www.|@|.com|.net|.org|.io|.ru|.cn|.example|.test|.biz|.info|.xyz|.top|iban|webhook|wallet|endpoint|pastebin|gist"
    "|bucket|0|1|2|3|4|5|6|7|8|9",
    "an account": "user|account|profil|workspace|this id|the id|that id|said id|client|customer|member|owner|subscriber|tenant|person"
    "|conversation|chat|session|caller|patient|employee|device|konto|nutzer|kunde|compte|utilisateur|cuenta|usuario|perfil|utente|conta"
    "|utilizador|gebruiker|klant",
    "a repetition": "said|told|established|mentioned|agreed|noted|stated|again|once more| time|over and over|repeatedly| know| agree| say"
    "| confirm| advise| recommend| show|known|undisputed|for the record|fact|wie gesagt|wie bereits|wie schon|bekanntlich|comme dit"
    "|tout le monde sait|como dije|como ya dije|todos sab|come detto|tutti sanno|como disse|zoals gezegd",
    "secrecy": " say| tell| ask| mention| inform| notif| reveal| disclos| explain| show| let|leave| dir| decir| dizer| avis| mencion"
    "| zu sagen",
}  # fmt: skip
