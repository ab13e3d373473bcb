"""Secrets in single texts: what is found, what is left alone, and what it costs."""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise

import chaos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from security.synthetic import MAKERS, harmless, secrets, sentence

from recollect.safety.redact import Redactor, find_secrets, redact
from recollect.safety.secret_formats import FORMATS

COUNT = 3000 if chaos.LONG else 300


def test_every_made_secret_is_found_and_gone_whatever_stands_around_it():
    rng = random.Random(1)
    assert len({make(rng).kind for make in MAKERS}) >= 20
    with chaos.tries("a secret in a text") as tried:
        for made in secrets(11, COUNT):
            text = sentence(rng, made)
            with tried.one(made.kind):
                kept, found = redact(text)
                assert made.kind in {one.kind for one in found}, "not found, or as another kind"
                assert not any(needle in kept for needle in made.needles), "left"


def test_harmless_lines_are_left_alone():
    lines = harmless(12, 10_000 if chaos.LONG else 1000)
    alarms = [(line, kept) for line in lines if (kept := redact(line)[0]) != line]
    chaos.record("a harmless line (false alarms)", len(lines), max(0, len(alarms) - len(lines) // 200))
    assert len(alarms) <= len(lines) * 0.005, alarms[:10]


# As the vendors' own pages print them (in two parts here, so that no scanner of repositories takes them for leaked).
DOCUMENTED = {
    "aws_access_key": ["AKIA" "IOSFODNN7EXAMPLE"],
    "aws_secret_key": ["aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/" "bPxRfiCYEXAMPLEKEY"],
    "stripe_key": ["sk_test_" "4eC39HqLyjWDarjtT1zdp7dc", "sk_test_" "BQokikJOvBiI2HlWgH4olfQ2"],
    "telegram_token": [
        "https://api.telegram.org/bot123456:" "ABC-DEF1234ghIkl-zyx57W2v1u123ew11/getMe",
        "110201543:" "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    ],
    "jwt": [
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
        "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
        "c19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",  # RFC 7515, A.1
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODB9.",  # RFC 7519, 6.1
    ],
    "basic_auth": ["Authorization: Basic " "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],  # RFC 7617
    "card_number": [  # test numbers of Stripe, PayPal and the networks
        "4242424242424242", "4000 0566 5566 5556", "5555-5555-5555-4444", "2223003122003222", "5105105105105100",
        "378282246310005", "3714 496353 98431", "6011111111111117", "6011000990139424", "3056930009020004",
        "36227206271667", "3566002020360505", "6200000000000005", "4111 1111 1111 1111", "30569309025904",
    ],
    "iban": [  # of the SWIFT registry
        "GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO93 8601 1117 947", "FR14 2004 1010 0505 0001 3M02 606",
        "MT84MALT011000012345MTLCAST001S", "CH93 0076 2011 6238 5295 7", "NL91ABNA0417164300", "SA0380000000608010167519",
    ],
    "azure_key": ["AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/" "K1SZFPTOtr/KBHBeksoGMGw=="],
    "url_password": [
        "postgresql://user:secret@localhost", "ftp://cnn.example.com&story=breaking_news:x1@10.0.0.1/top_story.htm",
        "mongodb://myDatabaseUser:D1fficultP%40ssw0rd@mongodb0.example.com:27017/?authSource=admin",
        "redis://:p4ssw0rd@localhost:6379/0", "amqp://guest:guest@localhost:5672//", "curl -u alice:opensesame9 https://x.example",
    ],
    "connection_password": ["Server=myServerAddress;Database=myDataBase;User Id=myUsername;Password=myPassw0rd;"],
    "sendgrid_key": ["SG." "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"],
    "age_key": ["AGE-SECRET-KEY-" "1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"],
    "npm_token": ["//registry.example/:_authToken=" "00000000-0000-0000-0000-000000000001"],
    "slack_webhook": ["https://hooks.slack.com/services/" "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"],
    "bitcoin_key": [
        "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
    ],  # BIP 32, test vector 1
    "bearer_token": ["Authorization: Bearer " "cn389ncoiwuencr-0a9b8c7d6e"],
}  # fmt: skip


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_what_the_vendors_print_is_found(kind):
    for example in DOCUMENTED[kind]:
        for text in (example, f"it is {example}, I think", f'{{"v": "{example}"}}', f"a\n{example}\nb"):
            assert [one.kind for one in find_secrets(text)] == [kind], text


def test_only_the_password_of_a_url_goes_and_only_the_secret_of_a_header():
    assert redact("postgres://app:hunter2@db:5432/main")[0] == "postgres://app:[REDACTED:url_password]@db:5432/main"
    assert redact("Authorization: Bearer abcdef0123456789abcdef")[0] == "Authorization: Bearer [REDACTED:bearer_token]"
    assert redact("a 4111 1111 1111 1111 b")[0] == "a [REDACTED:card_number] b"


def test_places_are_those_of_the_text_that_was_given_whatever_cannot_be_seen_in_it():
    text = "né\u00e9 — \u200bAKIAIOSF\u200bODNN7\u00adEXAMPLE, ４１１１ １１１１\u00a01111–1111 \ufeff."
    kept, found = redact(text)
    assert kept == "né\u00e9 — \u200b[REDACTED:aws_access_key], [REDACTED:card_number] \ufeff."
    first = text[found[0].start : found[0].end]
    assert first.replace("\u200b", "").replace("\u00ad", "") == "AKIAIOSFODNN7EXAMPLE"


def test_escapes_before_a_secret_do_not_hide_it():
    key = "AKIAIOSFODNN7EXAMPLE"
    for text in (json.dumps(f"x\n{key}\ty"), f"?k%3D{key}%26", f"\\u0022{key}", json.dumps(json.dumps(f"\n{key}"))):
        assert key not in redact(text)[0], text
    number = "4242424242424242"
    assert number not in redact(json.dumps(f"card\n{number}\n"))[0]


def test_what_looks_like_a_secret_does_not_hide_one_that_stands_in_it():
    assert (
        redact("on 5 June 2024 4242 4242 4242 4242 was charged")[0]
        == "on 5 June 2024 [REDACTED:card_number] was charged"
    )
    token = DOCUMENTED["jwt"][0]
    assert redact(f"eyebrow-pencil.png.{token}")[0] == "eyebrow-pencil.png.[REDACTED:jwt]"


def test_keys_of_metadata_that_become_the_same_keep_their_values_apart():
    one, other = ("AKIA" + end * 16 for end in "AB")
    kept, found = Redactor().metadata({one: 1, other: {"deep": [f"x {one}", 4242424242424242, True, None, 1.5]}})
    assert kept == {
        "[REDACTED:aws_access_key]": 1,
        "[REDACTED:aws_access_key] 2": {
            "deep": ["x [REDACTED:aws_access_key]", "[REDACTED:card_number]", True, None, 1.5]
        },
    }
    assert sorted(found) == [("aws_access_key", None)] * 3 + [("card_number", None)]


PIECES = st.one_of(
    st.integers(0, 10**6).map(lambda seed: MAKERS[seed % len(MAKERS)](random.Random(seed)).written),
    st.sampled_from(["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "://", ":", "@", "sk-", "eyJ", "\\n"]),
    st.sampled_from(["[REDACTED:jwt]", "[REDACTED:", ";password=", "curl -u a:", "bearer ", "-", "_", "."]),
    st.text(max_size=12),
)


@settings(max_examples=2000 if chaos.LONG else 60, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_redacting_twice_is_redacting_once(text):
    once, found = redact(text)
    assert redact(once)[0] == once
    assert all(a.end <= b.start for a, b in pairwise(found)) and (once == text) == (not found)


HOSTILE = {
    "begins": "-----BEGIN PRIVATE KEY-----\n",
    "begin with a body": "-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 64 + "\n",
    "putty": "PuTTY-User-Key-File-2: ssh-rsa\n",
    "urls": "://a:b",
    "database urls": "postgres://a:",
    "ats": "postgres://a:b" + "@a" * 100,
    "jwt": "eyJ",
    "jwt dots": "eyJhbGciOiJIUzI1NiJ9.",
    "digits": "4111 ",
    "one number": "4",
    "ibans": "DE89 ",
    "sk": "sk-",
    "sk-proj": "sk-proj-",
    "api keys": "api-key=",
    "years": "2024 ",
    "bearer": "bearer ",
    "curl": "curl a ",
    "password": ";password=",
    "aws": "aws secret key ",
    "ghp": "ghp_.",
    "gitlab": "glpat-a.",
    "slack": "xoxe.xoxb-1",
    "plus": "-----BEGIN PRIVATE KEY-----" + "+" * 500,
    "backslashes": "-----BEGIN PRIVATE KEY-----" + "\\" * 500,
    "spaces": "aws_secret_access_key   ",
    "sig": "&sig=%2B",
    "discord": "MTIz.",
    "azure": "abc8Q~",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length_and_no_faster(name):
    """By ratio: four times the text may take at most ten times as long (sixteen would be quadratic); the best of three, in the
    processor's time."""

    def seconds(length):
        text = (HOSTILE[name] * (length // len(HOSTILE[name]) + 1))[:length]
        taken = []
        for _ in range(3):
            start = time.thread_time()
            find_secrets(text)
            taken.append(time.thread_time() - start)
        return min(taken)

    seconds(1000)
    assert seconds(100_000) <= 10 * max(seconds(25_000), 0.002)


def test_every_format_has_hints_that_its_secrets_have():
    assert all(hint == hint.lower() for known in FORMATS for hint in known.hints)
