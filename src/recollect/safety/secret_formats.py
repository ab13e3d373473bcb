"""The formats of secrets that are kept out: what makes each one recognisable, and where that is written down.

A format is listed where its own shape tells it: a prefix and a length, a checksum, a header, a place in a URL. Nothing is guessed
by entropy. A pattern matches the whole secret, or what its one group matches.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


def start(after: str = "") -> str:
    """Before a secret stands no letter or digit, unless that ends an escape: the n of a JSON text's \\n, the hex of %3D or
    \\u0022.

    `after`: a pattern of fixed width that the secret begins with and that was matched already: a search for a literal is faster.
    """
    escapes = (r"\\[nrt]", r"%[0-9A-Fa-f]{2}", r"\\u[0-9A-Fa-f]{4}")
    ends = [rf"(?<![A-Za-z0-9]{after})", *(rf"(?<={escape}{after})" for escape in escapes)]
    return f"(?:{'|'.join(ends)})"


START = start()
# After one whose length is fixed, none either. Without an END a pattern's last class has all letters and digits.
END = r"(?![A-Za-z0-9])"
MARK = re.compile(r"\[REDACTED:[a-z_]+\]")


def always(_: str) -> bool:
    """A pattern that needs no second look."""
    return True


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of secret. `hints`: one of them (in lower case) stands in every text that has it; `real`: a second look."""

    kind: str
    hints: tuple[str, ...]
    pattern: str
    real: Callable[[str], bool] = always

    @property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, compiled on first use: most texts have no hint of any."""
        return compiled(self.pattern)


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Each pattern once."""
    return re.compile(pattern)


def token(kind: str, prefix: str, rest: str, *hints: str) -> Format:
    """A token that stands alone: a literal prefix (or a pattern of one, with `hints`), and the rest."""
    if hints:
        return Format(kind, hints, START + prefix + rest)
    literal = re.escape(prefix)
    return Format(kind, (prefix.lower(),), literal + start(literal) + rest)


def _prefixed(lengths: Mapping[str, int]) -> tuple[tuple[str, ...], str]:
    """Hints and pattern of tokens that are a prefix and at least so many letters and digits."""
    each = (rf"{re.escape(prefix)}[A-Za-z0-9]{{{least},}}" for prefix, least in lengths.items())
    return tuple(prefix.lower() for prefix in lengths), f"{START}(?:{'|'.join(each)})"


# --- second looks ------------------------------------------------------------------------------------------------------


def is_jwt(value: str) -> bool:
    """Whether its header is JSON that names an algorithm (RFC 7515, section 4.1.1; RFC 7516)."""
    header = value.partition(".")[0]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return False
    return isinstance(decoded, dict) and "alg" in decoded


def is_basic(value: str) -> bool:
    """Whether it is a name and a password in base64 (RFC 7617, section 2)."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (ValueError, binascii.Error):
        return False
    return ":" in decoded and decoded.isprintable()


_PLACE = re.compile(
    r"\$?\{{1,2}[^{}]*\}{1,2}|\$\(?[A-Za-z_]+\)?|<[^<>]*>|\[[^\[\]]*\]|%\([A-Za-z_]+\)s|%[A-Za-z_]*%?|[*x.•…_-]+",
    re.IGNORECASE,
)


def is_filled_in(value: str) -> bool:
    """Whether something stands there, and not the place for it: {password}, ${PASSWORD}, $PASSWORD, <password>, %s, ***, xxxx."""
    return not _PLACE.fullmatch(value)


def has_digit(value: str) -> bool:
    """YOUR_ACCESS_TOKEN has none."""
    return any(character.isdigit() for character in value) and is_filled_in(value)


def is_random(value: str) -> bool:
    """Whether it has digits, and is no row of words."""
    return has_digit(value) and (value.count("-") < 4 or value != value.lower())


def is_discord(value: str) -> bool:
    """Whether it begins with a user's number in base64."""
    first = value.partition(".")[0]
    try:
        return base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).isdigit()
    except (ValueError, binascii.Error):
        return False


# --- the table ---------------------------------------------------------------------------------------------------------

_DATABASES = (
    r"(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|neo4j|bolt)"
)
_HOST_ENDS = r"(?=[A-Za-z0-9\[_][A-Za-z0-9._\[\]-]{0,252}(?::[0-9]{1,5})?(?:[/?#,;)\s\"'`\\]|$))"
_QUOTED = r"(?:\\?[\"'])?"
_ASSIGNED = _QUOTED + r"\s{0,3}(?:=>|:=|[:=])\s{0,3}" + _QUOTED
_TOLD = _QUOTED + r"(?:\s{0,3}(?:=>|:=|[:=])\s{0,3}|\s{1,3}(?:is:?\s{1,3})?)" + _QUOTED  # "… is wJalr…" too

FORMATS: tuple[Format, ...] = (
    # docs.aws.amazon.com, IAM identifiers: AKIA long-term, ASIA temporary, ABIA bearer, ACCA context-specific.
    Format("aws_access_key", ("akia", "asia", "abia", "acca"), START + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}" + END),
    # The secret itself has no prefix: 40 characters of base64 beside one of its documented names.
    Format(
        "aws_secret_key",
        ("secret",),
        r"(?i:aws.?secret.?(?:access.?)?key|secret_?access_?key)" + _TOLD + r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    Format(
        "aws_session_token", ("session",), r"(?i:(?:aws_?)?session_?token)" + _TOLD + r"([A-Za-z0-9/+]{100,}={0,2})"
    ),
    # docs.github.com, "About authentication to GitHub": ghp_ gho_ ghu_ ghs_ ghr_; fine-grained github_pat_.
    token("github_token", r"gh[pousr]_", r"[A-Za-z0-9_.-]{35,}[A-Za-z0-9_]", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    token("github_token", "github_pat_", r"[A-Za-z0-9_]{22,}"),
    # docs.gitlab.com, "Token overview": the prefixes of all of its tokens; routable ones have two more parts.
    token(
        "gitlab_token",
        r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|wt)-",
        r"[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9_-]{2,})*",
        *("glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-"),
        *("glffct-", "glwt-"),
    ),
    token("gitlab_token", "GR1348941", r"[A-Za-z0-9_-]{20,}"),
    # api.slack.com, "Token types"; "Sending messages using incoming webhooks".
    token("slack_token", r"(?:xoxe\.)?xox[abceoprs]-", r"[0-9][A-Za-z0-9-]{9,}", "xox"),
    token("slack_token", "xoxd-", r"[A-Za-z0-9%/+=_-]{40,}"),
    token("slack_token", "xapp-", r"[0-9]-[A-Za-z0-9-]{20,}"),
    Format(
        "slack_webhook",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/((?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,})",
    ),
    # docs.stripe.com, "API keys"; "Webhooks": signing secrets.
    token("stripe_key", r"[rs]k_(?:live|test|prod)_", r"[A-Za-z0-9]{10,}", "k_live_", "k_test_", "k_prod_"),
    token("stripe_key", "whsec_", r"[A-Za-z0-9+/=_-]{24,}"),
    # cloud.google.com, "API keys"; developers.google.com, OAuth 2.0: access and refresh tokens, client secrets.
    token("google_api_key", "AIza", r"[A-Za-z0-9_-]{35}" + END),
    token("google_api_key", "AQ.", r"[A-Za-z0-9_-]{40,}"),
    token("google_oauth", "ya29.", r"[A-Za-z0-9_.-]{20,}"),
    token("google_oauth", "1//0", r"[A-Za-z0-9_-]{30,}"),
    token("google_oauth", "GOCSPX-", r"[A-Za-z0-9_-]{28,}"),
    # platform.openai.com and those that follow its format (DeepSeek, OpenRouter, LiteLLM …); docs.anthropic.com.
    token("anthropic_key", "sk-ant-", r"[A-Za-z0-9_-]{20,}"),
    token("openai_key", r"sk-(?:proj|svcacct|admin|None|service|or-v1|lf)-", r"[A-Za-z0-9_-]{20,}", "sk-"),
    Format(
        "openai_key",
        ("sk-",),
        "sk-" + start("sk-") + r"(?:[A-Za-z0-9_-]{48,500}(?![A-Za-z0-9_-])|[A-Za-z0-9]{32,500}(?![A-Za-z0-9]))",
        is_random,
    ),
    # huggingface.co/docs/hub/security-tokens; console.groq.com; docs.x.ai; docs.perplexity.ai; replicate.com/docs;
    # docs.tavily.com; docs.smith.langchain.com; build.nvidia.com.
    token("hugging_face_token", r"(?:hf|api_org)_", r"[A-Za-z0-9]{34,}", "hf_", "api_org_"),
    token("groq_key", "gsk_", r"[A-Za-z0-9]{40,}"),
    token("xai_key", "xai-", r"[A-Za-z0-9]{70,}"),
    token("perplexity_key", "pplx-", r"[A-Za-z0-9]{40,}"),
    token("replicate_token", "r8_", r"[A-Za-z0-9]{37,}"),
    token("tavily_key", "tvly-", r"(?:dev-|prod-)?[A-Za-z0-9_-]{28,}"),
    token("langsmith_key", r"(?:lsv2_(?:pt|sk)|ls__)_?", r"[A-Za-z0-9_]{32,}", "lsv2_", "ls__"),
    token("nvidia_key", "nvapi-", r"[A-Za-z0-9_-]{60,}"),
    # npm, "About access tokens"; .npmrc.
    token("npm_token", "npm_", r"[A-Za-z0-9]{36,}"),
    Format("npm_token", (":_auth",), r":_auth(?:Token)?\s{0,2}=\s{0,2}[\"']?([A-Za-z0-9_+/-]{16,}={0,2})"),
    # What the registries of packages say of their tokens (one kind is a macaroon that begins with the name of its site).
    token("pypi_token", "pypi-Ag", r"[A-Za-z0-9_-]{50,}"),
    token("rubygems_key", "rubygems_", r"[0-9a-f]{48}" + END),
    token("crates_token", "cio", r"[A-Za-z0-9]{32}" + END),
    # docs.docker.com, "Personal access tokens", "Organization access tokens".
    token("docker_token", r"dckr_(?:pat|oat)_", r"[A-Za-z0-9_-]{27,}", "dckr_"),
    # www.twilio.com/docs/iam/api-keys (SK…); its auth token beside its name.
    token("twilio_key", "SK", r"[0-9A-Fa-f]{32}" + END),
    Format("twilio_key", ("twilio",), r"(?i:twilio_?auth.?token)" + _TOLD + r"([0-9a-f]{32})" + END),
    # www.twilio.com/docs/sendgrid; documentation.mailgun.com; mailchimp.com/developer; developers.brevo.com.
    token("sendgrid_key", "SG.", r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}" + END),
    token("mailgun_key", "key-", r"[0-9a-f]{32}" + END),
    Format("mailchimp_key", ("-us",), START + r"[0-9a-f]{32}-us[0-9]{1,2}" + END),
    token("brevo_key", r"x(?:keys|smtps)ib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}" + END, "xkeysib-", "xsmtpsib-"),
    # RFC 7515 and RFC 7516, compact serialisations: three parts, or five.
    Format(
        "jwt",
        ("ey",),
        r"ey(?<![_-]ey)" + start("ey") + r"[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){2,4}",
        is_jwt,
    ),
    # RFC 6750, RFC 7617, and the header that many services use beside them.
    Format("bearer_token", ("bearer",), r"(?i:\bbearer)\s{1,4}([A-Za-z0-9._~+/-]{20,}=*)", has_digit),
    Format("basic_auth", ("basic",), r"(?i:\bbasic)\s{1,4}([A-Za-z0-9+/]{8,}={0,2})", is_basic),
    Format(
        "api_key_header",
        ("api-key",),
        r"(?i:\b(?:x-)?api-key)" + _ASSIGNED + r"([A-Za-z0-9._~+/=-]{16,1000})",
        has_digit,
    ),
    # RFC 3986, section 3.2.1: userinfo; the password alone goes. In a database's URL it may have any character.
    Format(
        "url_password",
        ("://",),
        _DATABASES + r"(?:\+[a-z0-9_]{1,30})?://[^\s/?#@:\"'<>\\\[]{0,128}:(?![0-9]{1,5}(?:[/?#,]|$))"
        r"([^\s\"'<>\\]{1,256}?)@" + _HOST_ENDS,
        is_filled_in,
    ),
    Format(
        "url_password",
        ("://",),
        r"://[^\s/?#@:\"'<>\\\[]{0,128}:([^\s/?#\"'<>\\@]{1,256}(?:@[^\s/?#\"'<>\\@:]{1,128}(?=@)){0,3})@(?=[A-Za-z0-9\[_])",
        is_filled_in,
    ),
    Format(
        "url_password",
        ("curl",),
        r"\bcurl\b[^\n]{0,300}?\s(?:-u|--user)[ =]?[\"']?[^\s:\"'\[]{1,128}:([^\s\"']{1,256})",
        is_filled_in,
    ),
    # learn.microsoft.com, connection strings: a part among others, which semicolons divide.
    Format("connection_password", ("password=", "pwd="), r"(?i:;\s?(?:password|pwd))=([^;\"'\s]{1,256})", is_filled_in),
    Format(
        "connection_password",
        ("password=", "pwd="),
        r"(?i:(?<![A-Za-z0-9_;&?])(?:password|pwd))=([^;\"'\s]{1,256});(?=\s?[A-Za-z][A-Za-z ]{1,40}=)",
        is_filled_in,
    ),
    # learn.microsoft.com: storage account keys, shared access keys and signatures, client secrets of Entra ID.
    Format("azure_key", ("accountkey",), r"(?i:AccountKey)" + _ASSIGNED + r"([A-Za-z0-9+/]{86,}={0,2})"),
    Format("azure_key", ("sharedaccesskey",), r"(?i:SharedAccessKey)" + _ASSIGNED + r"([A-Za-z0-9+/]{40,}={0,2})"),
    Format("azure_key", ("sig=",), r"[?&;]sig=([A-Za-z0-9%+/_-]{40,}=?)"),
    Format("azure_key", ("q~",), START + r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}"),
    # discord.com/developers/docs/reference; core.telegram.org/bots/api.
    Format(
        "discord_token",
        (".",),
        r"[MNO](?<![_-][MNO])" + start("[MNO]") + r"[A-Za-z0-9_-]{22,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
        is_discord,
    ),
    Format(
        "discord_token",
        ("/api/webhooks/",),
        r"discord(?:app)?\.com/api/webhooks/([0-9]{17,20}/[A-Za-z0-9_-]{60,})",
    ),
    Format("telegram_token", (":a",), r"(?:" + START + r"|(?<=/bot))[0-9]{6,12}:A[A-Za-z0-9_-]{32,}"),
    # The vendors' pages on their API tokens.
    token("digitalocean_token", r"do[opr]_v1_", r"[0-9a-f]{64}" + END, "_v1_"),
    token("heroku_key", "HRKU-", r"[A-Za-z0-9_-]{30,}"),
    token("shopify_token", r"shp(?:at|ca|pa|ss|ua|tka)_", r"[0-9A-Fa-f]{32}" + END, "shp"),
    token("square_token", r"sq0(?:atp|csp|idp)-", r"[A-Za-z0-9_-]{22,}", "sq0"),
    token("linear_key", r"lin_(?:api|oauth)_", r"[A-Za-z0-9]{40,}", "lin_"),
    token("notion_token", "ntn_", r"[A-Za-z0-9]{40,}"),
    token("notion_token", "secret_", r"[A-Za-z0-9]{43}" + END),
    token("figma_token", r"fig[doru]_", r"[A-Za-z0-9_-]{40,}", "fig"),
    token("databricks_token", "dapi", r"[0-9a-f]{32}(?:-[0-9])?" + END),
    token("dropbox_token", "sl.", r"[A-Za-z0-9_-]{100,}"),
    token("atlassian_token", "ATATT3", r"[A-Za-z0-9_=-]{150,}"),
    token("vault_token", r"hv[sbr]\.", r"[A-Za-z0-9_-]{24,}", "hvs.", "hvb.", "hvr."),
    Format("terraform_token", (".atlasv1.",), START + r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    token("postman_key", "PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}" + END),
    token("new_relic_key", r"NR(?:AK|JS|II)-", r"[A-Za-z0-9_-]{19,}", "nrak-", "nrjs-", "nrii-"),
    token("grafana_token", "glsa_", r"[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}" + END),
    token("grafana_token", "glc_", r"[A-Za-z0-9+/]{32,}={0,2}"),
    token("sentry_token", r"sntry[su]_", r"[A-Za-z0-9+/=_-]{40,}", "sntry"),
    token("supabase_key", r"(?:sbp|sb_secret)_", r"[A-Za-z0-9_-]{31,}", "sbp_", "sb_secret_"),
    token("planetscale_token", r"pscale_(?:tkn|pw|oauth)_", r"[A-Za-z0-9_.=-]{32,}", "pscale_"),
    token("doppler_token", r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"[A-Za-z0-9._-]{40,}", "dp."),
    token("pulumi_token", "pul-", r"[0-9a-f]{40}" + END),
    token("airtable_token", "pat", r"[A-Za-z0-9]{14}\.[0-9a-f]{64}" + END),
    token("facebook_token", "EAA", r"[A-Za-z0-9]{80,}"),
    token("alibaba_key", "LTAI", r"[A-Za-z0-9]{16,24}" + END),
    token("onepassword_token", "ops_ey", r"[A-Za-z0-9_+/=-]{100,}"),
    token("onepassword_token", "A3-", r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}" + END),
    token("cloudflare_token", r"cf[ua]t_", r"[A-Za-z0-9]{48}" + END, "cfut_", "cfat_"),
    token("bedrock_key", "ABSK", r"[A-Za-z0-9+/]{100,}={0,2}"),
    token("artifactory_key", "AKCp", r"[A-Za-z0-9]{68,}"),
    token("circleci_token", r"CCIP(?:AT|RJ)_", r"[A-Za-z0-9]{22}_[0-9a-f]{40}" + END, "ccipat_", "cciprj_"),
    token("docker_token", r"SWM(?:TKN|KEY)-1-", r"[A-Za-z0-9+/-]{40,}", "swmtkn-1-", "swmkey-1-"),
    token("dynatrace_token", "dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}" + END),
    token("fly_token", r"FlyV1 fm[0-9]?[a-z]?_", r"[A-Za-z0-9=_,/+-]{100,}", "flyv1 "),
    token("hubspot_token", r"pat-(?:na|eu|ap)[0-9]-", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}" + END, "pat-"),
    token("mailersend_token", "mlsn.", r"[A-Za-z0-9]{30,}"),
    token("mapbox_token", "sk.eyJ", r"[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}"),
    token("mongodb_key", "mdb_sa_sk_", r"[A-Za-z0-9_-]{40,}"),
    token("openshift_token", "sha256~", r"[A-Za-z0-9_-]{43,}"),
    token("resend_key", "re_", r"[1-9A-HJ-NP-Za-km-z]{8}_[1-9A-HJ-NP-Za-km-z]{24}" + END),
    # And those that are a prefix, an underscore or a dash, and so many letters and digits.
    Format(
        "service_token",
        *_prefixed(
            {
                "apify_api_": 34,
                "bkua_": 40,
                "CLOJARS_": 60,
                "cnvca": 51,
                "csk-": 48,
                "ddo_": 36,
                "ddp_": 36,
                "EZAK": 54,
                "EZTK": 54,
                "ico-": 32,
                "ion_": 42,
                "llx-": 44,
                "napi_": 64,
                "nyk_": 67,
                "pnu_": 36,
                "ramp_sec_": 48,
                "rdme_": 70,
                "rnd_": 28,
                "rootly_": 64,
                "rpa_": 30,
                "sgp_": 40,
                "shippo_live_": 40,
                "shippo_test_": 40,
                "sk_": 48,
                "xnd_production_": 56,
            }
        ),
    ),
    # github.com/FiloSottile/age; BIP 32, extended private keys.
    token("age_key", "AGE-SECRET-KEY-", r"(?:PQ-)?1[0-9A-Za-z]{58,}"),
    token("bitcoin_key", r"[xyzt]prv", r"[1-9A-HJ-NP-Za-km-z]{107,108}" + END, "prv"),
)

HINTS = tuple((hint, known) for known in FORMATS for hint in known.hints)
