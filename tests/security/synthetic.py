"""Made-up secrets of known formats, and harmless lines that look like some. Nothing here was ever valid anywhere."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"
BASE64 = ALNUM + "+/"


@dataclass(frozen=True)
class Made:
    """A secret as it is written, and what of it must be found nowhere (`needles`)."""

    kind: str
    written: str
    needles: tuple[str, ...]


def some(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def alone(kind: str, prefix: str, alphabet: str, length: int, after: str = "") -> Callable[[random.Random], Made]:
    """A token: a prefix and so many characters; the needle is what is random in it."""

    def make(rng: random.Random) -> Made:
        random_part = some(rng, alphabet, length)
        return Made(kind, prefix + random_part + after, (random_part,))

    return make


def jwt(rng: random.Random) -> Made:
    header = {"alg": rng.choice(["HS256", "RS256", "ES384"]), "typ": "JWT", "kid": some(rng, HEX, 8)}
    payload = {"sub": some(rng, string.digits, 10), "iat": rng.randrange(10**9, 2 * 10**9)}
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (header, payload)]
    parts.append(some(rng, URL64, 43))
    return Made("jwt", ".".join(parts), tuple(parts))


def pem(rng: random.Random) -> Made:
    label = rng.choice(
        ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
    )
    lines = [some(rng, BASE64, 64) for _ in range(rng.choice([3, 13, 26]))] + [some(rng, BASE64, 30) + "=="]
    body = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])
    shape = rng.randrange(4)
    if shape == 1:
        body = json.dumps({"private_key": body + "\n"})
    elif shape == 2:
        body = "key = (\n" + "\n".join(f'    "{line}\\n"' for line in body.split("\n")) + "\n)"
    elif shape == 3:  # the last lines did not make it into the message
        body = "\n".join(body.split("\n")[:-2])
        lines.pop()
    return Made("private_key", body, (lines[0], lines[len(lines) // 2], lines[-1]))


def aws_secret(rng: random.Random) -> Made:
    secret = some(rng, BASE64, 40)
    name = rng.choice(
        [
            "AWS_SECRET_ACCESS_KEY={}",
            "aws_secret_access_key = {}",
            '"SecretAccessKey": "{}"',
            "export AWS_SECRET_ACCESS_KEY='{}'",
        ]
    )
    return Made("aws_secret_key", name.format(secret), (secret,))


def url_password(rng: random.Random) -> Made:
    scheme = rng.choice(["postgres", "postgresql+asyncpg", "mysql", "mongodb+srv", "redis", "amqp", "https", "ftp"])
    password = some(rng, ALNUM + "!$%-_.~", rng.randrange(9, 24))
    if scheme == "postgres":
        password += "@/" + some(rng, ALNUM, 5)  # not as the RFC has it, but as people do
    user = rng.choice(["app", "root", "svc_billing", ""]) if scheme == "redis" else rng.choice(["app", "svc_billing"])
    tail = {"https": "/path?x=1", "ftp": "/"}.get(scheme, f":{rng.randrange(1024, 9999)}/main")
    return Made(
        "url_password", f"{scheme}://{user}:{password}@db-{rng.randrange(9)}.internal.example{tail}", (password,)
    )


def basic_header(rng: random.Random) -> Made:
    encoded = base64.b64encode(f"admin:{some(rng, ALNUM, 14)}".encode()).decode()
    return Made("basic_auth", f"Authorization: Basic {encoded}", (encoded.rstrip("="),))


def bearer_header(rng: random.Random) -> Made:
    secret = some(rng, URL64, 39) + rng.choice(string.digits)
    return Made("bearer_token", f"Authorization: Bearer {secret}", (secret,))


def azure(rng: random.Random) -> Made:
    key = some(rng, BASE64, 86)
    ends = f"AccountKey={key}==;EndpointSuffix=core.windows.net"
    return Made("azure_key", f"DefaultEndpointsProtocol=https;AccountName=store{rng.randrange(99)};{ends}", (key,))


def connection(rng: random.Random) -> Made:
    password = some(rng, ALNUM + "!#$%", 15)
    return Made(
        "connection_password", f"Server=tcp:db.example,1433;User ID=sa;Password={password};Encrypt=True", (password,)
    )


def twilio_token(rng: random.Random) -> Made:
    secret = some(rng, HEX, 32)
    return Made("twilio_key", f"TWILIO_AUTH_TOKEN={secret}", (secret,))


def slack_hook(rng: random.Random) -> Made:
    secret = f"T{some(rng, UPPER, 10)}/B{some(rng, UPPER, 10)}/{some(rng, ALNUM, 24)}"
    return Made("slack_webhook", f"https://hooks.slack.com/services/{secret}", (secret, secret[-24:]))


def telegram(rng: random.Random) -> Made:
    secret = some(rng, URL64, 33)
    return Made("telegram_token", f"{rng.randrange(10**8, 10**10)}:AA{secret}", (secret,))


def discord(rng: random.Random) -> Made:
    number = base64.urlsafe_b64encode(str(rng.randrange(10**17, 10**18)).encode()).rstrip(b"=").decode()
    secret = some(rng, URL64, 38)
    return Made("discord_token", f"{number}.{some(rng, ALNUM, 6)}.{secret}", (secret,))


def luhn_digit(digits: str) -> str:
    total = sum(sum(divmod(int(one) * 2, 10)) for one in digits[::-2]) + sum(int(one) for one in digits[-2::-2])
    return str(-total % 10)


def card(rng: random.Random) -> Made:
    prefix, length, groups = rng.choice(
        [
            ("4", 16, (4, 4, 4, 4)),
            (str(rng.randrange(51, 56)), 16, (4, 4, 4, 4)),
            (str(rng.randrange(2221, 2721)), 16, (4, 4, 4, 4)),
            (rng.choice(["34", "37"]), 15, (4, 6, 5)),
            ("6011", 16, (4, 4, 4, 4)),
            ("36", 14, (4, 6, 4)),
            ("3530", 16, (4, 4, 4, 4)),
            ("62", 16, (4, 4, 4, 4)),
        ]
    )
    digits = prefix + some(rng, string.digits, length - 1 - len(prefix))
    digits += luhn_digit(digits)
    between, parts, at = rng.choice(["", " ", "-", "\u00a0"]), [], 0
    for group in groups:
        parts.append(digits[at : at + group])
        at += group
    written = between.join(parts)
    return Made("card_number", written, (written, digits))


def iban(rng: random.Random) -> Made:
    country, body = rng.choice(
        [
            ("DE", some(rng, string.digits, 18)),
            ("GB", some(rng, string.ascii_uppercase, 4) + some(rng, string.digits, 14)),
            ("FR", some(rng, string.digits, 10) + some(rng, UPPER, 11) + some(rng, string.digits, 2)),
            ("NL", some(rng, string.ascii_uppercase, 4) + some(rng, string.digits, 10)),
            ("NO", some(rng, string.digits, 11)),
            ("CH", some(rng, string.digits, 5) + some(rng, UPPER, 12)),
            ("ES", some(rng, string.digits, 20)),
        ]
    )
    number = "".join(str(int(one, 36)) for one in body + country + "00")
    written = f"{country}{98 - int(number) % 97:02d}{body}"
    grouped = " ".join(written[i : i + 4] for i in range(0, len(written), 4))
    return Made("iban", rng.choice([written, grouped]), (written, grouped))


MAKERS: tuple[Callable[[random.Random], Made], ...] = (
    alone("aws_access_key", "AKIA", string.ascii_uppercase + "234567", 16),
    alone("aws_access_key", "ASIA", string.ascii_uppercase + "234567", 16),
    aws_secret,
    alone("github_token", "ghp_", ALNUM, 36),
    alone("github_token", "gho_", ALNUM, 36),
    alone("github_token", "github_pat_11", ALNUM, 80),
    alone("gitlab_token", "glpat-", URL64, 20),
    alone("gitlab_token", "glrt-", URL64, 20),
    alone("slack_token", "xoxb-", string.digits, 24, "-AbCdEfGhIjKlMnOpQrStUvWx"),
    alone("slack_token", "xapp-1-A0", UPPER, 40),
    slack_hook,
    alone("stripe_key", "sk_" + "live_", ALNUM, 24),
    alone("stripe_key", "rk_" + "live_51", ALNUM, 99),
    alone("stripe_key", "whsec_", ALNUM, 32),
    alone("google_api_key", "AIza", URL64, 34, "a"),
    alone("google_oauth", "ya29.a0", URL64, 120),
    alone("google_oauth", "GOCSPX-", URL64, 28),
    alone("openai_key", "sk-proj-", URL64, 74, "T3BlbkFJ0"),
    alone("openai_key", "sk-a1", ALNUM, 46),
    alone("anthropic_key", "sk-ant-api03-", URL64, 93, "AA"),
    alone("hugging_face_token", "hf_", string.ascii_letters, 34),
    alone("groq_key", "gsk_", ALNUM, 52),
    alone("npm_token", "npm_", ALNUM, 36),
    alone("pypi_token", "pypi-AgEIcHlwaS5vcmc", URL64, 140),
    alone("docker_token", "dckr_pat_", URL64, 27),
    alone("twilio_key", "SK", HEX, 32),
    twilio_token,
    alone("sendgrid_key", "SG.", URL64, 22, "." + "abcdefghijk" * 3 + "0123456789"),
    alone("mailgun_key", "key-", HEX, 32),
    alone("mailchimp_key", "", HEX, 32, "-us21"),
    jwt,
    pem,
    pem,
    url_password,
    url_password,
    basic_header,
    bearer_header,
    azure,
    connection,
    telegram,
    discord,
    alone("digitalocean_token", "dop_v1_", HEX, 64),
    alone("shopify_token", "shpat_", HEX, 32),
    alone("vault_token", "hvs.", URL64, 90),
    alone("age_key", "AGE-SECRET-KEY-1", UPPER, 58),
    card,
    card,
    card,
    iban,
    iban,
)


def secrets(seed: int, count: int) -> list[Made]:
    """So many secrets, all kinds in turn."""
    rng = random.Random(seed)
    return [MAKERS[i % len(MAKERS)](rng) for i in range(count)]


_AROUND = (
    "My key is {}",
    "Please remember {} for me.",
    "export TOKEN={}",
    'config = {{"token": "{}", "retries": 3}}',
    "curl -H 'X-Token: {}' https://api.example.com/v1/items?limit=5",
    "第一个是 {}，谢谢！",
    "Voilà le code : « {} » — à bientôt 🙂",
    "<token>{}</token>",
    "({})",
    "before\n{}\nafter",
    "`{}`",
    "key:{}, old one gone",
)


def sentence(rng: random.Random, made: Made) -> str:
    """The secret as somebody might paste it."""
    if "\n" in made.written:
        return f"Here it is:\n{made.written}\nkeep it safe"
    if made.written.isprintable() and rng.random() < 0.15:
        return json.dumps({"log": f"started\n{made.written}\nstopped"})
    return rng.choice(_AROUND).format(made.written)


# --- harmless lines ----------------------------------------------------------------------------------------------------

CHAT = """I changed my password yesterday and forgot it again.
The password must have at least twelve characters, one of them a digit.
Can you remind me to reset my password on Friday?
My bearer of good news was Anna, who called at nine.
She is a basic user of spreadsheets.
Basic knowledge of French is enough for the trip.
The secret of her bread is a long night in the fridge.
Keep it secret: the party is on 12.08.2025 at 18:30.
Our API key rotation policy is ninety days.
Do not commit your access token, use the vault.
The token ring was an IBM invention.
I paid with my Visa card ending in 4242.
The card was declined twice at the pump.
My IBAN is on the invoice that I sent you.
He speaks DE and GB English, and lives in NL02.
Call me at +49 30 901820 or +1 (415) 555-0132.
My number is 0044 20 7946 0958, extension 4111.
Order 4111-2222-3333 has shipped.
Tracking number 1Z999AA10123456784 says tomorrow.
The ISBN is 978-3-16-148410-0, second edition.
Her flight is LH 2038, seat 14C, booking code X7K9PQ.
We meet at 51.5074, -0.1278, by the bridge.
ask-for-me-at-the-desk-when-you-arrive-please-and-thanks
The slug is task-management-for-busy-people-in-2025-and-beyond.
Use sk-SK as the locale, and en-GB as the fallback.
xoxo-and-hugs-to-everyone-at-home
Read https://user@example.com/path and mailto:ann@example.com please.
git clone git@github.com:owner/repository.git
ssh://git@example.com:2222/owner/repository.git
http://localhost:8080/login?next=/me@home
postgres://localhost:5432/main?application_name=a@b
DATABASE_URL=postgresql://app:${DB_PASSWORD}@db:5432/main
DATABASE_URL=postgres://user:<password>@host/db
mongodb://h1.example:27017,h2.example:27017/?replicaSet=rs0
password = getpass.getpass("Password: ")
const password = process.env.PASSWORD;
if password == confirm: save(user, password)
The placeholder is YOUR_ACCESS_TOKEN, or ghp_xxxxxxxx in the docs.
Authorization: Bearer <token>
Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_IN_THIS_PLACE
-----BEGIN CERTIFICATE----- comes first, then the chain.
Look for the line -----BEGIN PRIVATE KEY----- in the file.
-----BEGIN PUBLIC KEY-----
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx2p0sY0p0m8n1Qw5a6Zk3l9v7r2t4y6u8i0o1p3a5s ann@laptop
pk_live_ is the publishable part, it may be shown.
EAA conference, AIza is a prefix, AKIA too.
Der Umsatz stieg auf 4.111.111,11 Euro.
rsync -av --delete src/ dst/ && date +%s
SELECT id, token_count FROM calls WHERE at > 1718000000 LIMIT 50;
npm_config_cache=/tmp/npm-cache npm ci
hf_hub_download(repo_id="org/model", filename="config.json")
key-value stores and key-driven development
SG.A is listed in Singapore.
sig=figure 2; see the caption
dp.status was green at noon
cio.com has an article on that.
The AC0123 manual and the SK300 drill.
Twilio auth token rotation is described in the runbook.
Set the x-api-key header from the vault.
{"alg": "HS256", "typ": "JWT"} is the header of a JWT.
eyeballs.and.eyebrows are words with ey in them.""".splitlines()


def harmless(seed: int, count: int) -> list[str]:
    """So many lines without a secret: chat, code, logs, ids, hashes and numbers."""
    rng = random.Random(seed)
    lines = list(CHAT)
    while len(lines) < count:
        lines.append(rng.choice(_LOOKALIKES)(rng))
    return lines[:count]


def _digits_that_fail(rng: random.Random, length: int) -> str:
    digits = rng.choice("3456") + some(rng, string.digits, length - 2)
    return digits + rng.choice([one for one in string.digits if one != luhn_digit(digits)])


def _wrong_iban(rng: random.Random) -> str:
    body = some(rng, string.digits, 18)
    right = 98 - int("".join(str(int(one, 36)) for one in body + "DE00")) % 97
    wrong = rng.choice([one for one in range(2, 99) if one != right])
    return f"Reference DE{wrong:02d} " + " ".join(body[i : i + 4] for i in range(0, 18, 4))


_WORDS = [
    "garden",
    "meeting",
    "invoice",
    "Lisbon",
    "sister",
    "engine",
    "Tuesday",
    "report",
    "violin",
    "coffee",
    "deploy",
    "branch",
]
_LOOKALIKES: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: f"commit {some(rng, HEX, 40)}",
    lambda rng: f"{some(rng, HEX, 7)} {' '.join(rng.sample(_WORDS, 4))}",
    lambda rng: f"sha256:{some(rng, HEX, 64)}  {rng.choice(_WORDS)}.tar.gz",
    lambda rng: f"{some(rng, HEX, 32)}  {rng.choice(_WORDS)}.iso",
    lambda rng: f'"integrity": "sha512-{some(rng, BASE64, 86)}=="',
    lambda rng: f"request_id={uuid.UUID(int=rng.getrandbits(128), version=4)} took {rng.randrange(900)} ms",
    lambda rng: f"order {_digits_that_fail(rng, 16)} was delivered",
    lambda rng: f"{_digits_that_fail(rng, 15)} is what the meter says",
    lambda rng: "no. " + " ".join(_digits_that_fail(rng, 16)[i : i + 4] for i in range(0, 16, 4)),
    lambda rng: f"timestamp {rng.randrange(1_600_000_000, 1_900_000_000)}{rng.randrange(10**9):09d}",
    lambda rng: f"tweet {rng.randrange(10**18, 2 * 10**18)} by {rng.choice(_WORDS)}",
    lambda rng: f"![picture](data:image/png;base64,{some(rng, BASE64, rng.randrange(200, 2000))}==)",
    lambda rng: f'etag: W/"{some(rng, HEX, 32)}"',
    lambda rng: f"user_{some(rng, ALNUM, 24)} joined channel C{some(rng, UPPER, 10)}",
    lambda rng: f"https://example.com/{some(rng, URL64, 22)}?v={some(rng, ALNUM, 11)}&t={rng.randrange(500)}s",
    lambda rng: f"id = '{some(rng, ALNUM, rng.randrange(16, 48))}'  # primary key",
    lambda rng: f"mem_{some(rng, HEX, 32)} chg_{some(rng, HEX, 32)}",
    lambda rng: (
        f"ISBN 978-{rng.randrange(10)}-{rng.randrange(10**4):04d}-{rng.randrange(10**4):04d}-{rng.randrange(10)}"
    ),
    lambda rng: f"EAN {rng.randrange(4 * 10**12, 5 * 10**12)}, {rng.randrange(1, 40)} pieces",
    lambda rng: f"phone: +{rng.randrange(1, 99)} {rng.randrange(100, 999)} {rng.randrange(10**6, 10**7)}",
    lambda rng: (
        f"{rng.randrange(2000, 2030)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T08:15:00Z {rng.choice(_WORDS)}"
    ),
    lambda rng: f"color: #{some(rng, HEX, 6)}; width: {rng.random():.16f}",
    lambda rng: f"pi is about 3.{some(rng, string.digits, 40)}",
    lambda rng: (
        f"mac {':'.join(some(rng, HEX, 2) for _ in range(6))} ip {'.'.join(str(rng.randrange(256)) for _ in range(4))}"
    ),
    lambda rng: f"arn:aws:iam::{rng.randrange(10**11, 10**12)}:role/AROA{some(rng, UPPER, 17)}",
    lambda rng: f"image registry.example/app@sha256:{some(rng, HEX, 64)}",
    lambda rng: (
        f"def f_{some(rng, HEX, 8)}(token: str, password: str) -> bool: return len(token) > {rng.randrange(99)}"
    ),
    lambda rng: f"I think the {rng.choice(_WORDS)} and the {rng.choice(_WORDS)} cost {rng.randrange(9999)}.50 together",
    lambda rng: f"session {some(rng, HEX, 64)} expires in {rng.randrange(60)} min",
    lambda rng: f"sk{some(rng, string.ascii_lowercase, 30)} pypi {some(rng, URL64, 30)}",
    lambda rng: _wrong_iban(rng),
    lambda rng: f"license key {'-'.join(some(rng, UPPER, 5) for _ in range(5))}",
    lambda rng: f"parcel JD{some(rng, string.digits, 18)} left the depot",
    lambda rng: f"VIN WVWZZZ1JZ{some(rng, UPPER, 8)}, mileage {rng.randrange(300_000)}",
)
