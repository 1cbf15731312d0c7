"""Secrets stay in: known values, and what has the shape of a well-known token."""

from __future__ import annotations

import pytest

from bot.domain.masking import mask

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"


def test_a_known_secret_is_masked_wherever_it_stands():
    assert mask("token=s3cr3t-value; s3cr3t-value", ["s3cr3t-value"]) == "token=***; ***"


def test_a_secret_that_is_part_of_another_does_not_leave_the_rest_of_it():
    assert mask("abcd-efgh", ["abcd", "abcd-efgh"]) == "***"


def test_a_very_short_secret_is_left_for_it_would_blank_out_words():
    assert mask("a cat sat", ["at"]) == "a cat sat"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://ada:pass@git.example.com/x", "https://***@git.example.com/x"),
        ("https://ada:p@ss:w@git.example.com/x", "https://***@git.example.com/x"),
        ("https://:tok@git.example.com/x", "https://***@git.example.com/x"),
        ("https://0123456789012345678901@host/x", "https://***@host/x"),
        ("postgresql://bot:pw@db:5432/x", "postgresql://***@db:5432/x"),
        ("GET /?token=abc&x=1", "GET /?token=***&x=1"),
        ("https://h/api?a=1&private_token=abc#f", "https://h/api?a=1&private_token=***#f"),
        ("ghp_0123456789abcdefABCDEF", "***"),
        ("github_pat_0123456789abcdefABCDEF", "***"),
        ("glpat-0123456789abcdefABCD and gldt-0123456789abcdefABCD", "*** and ***"),
        ("hf_0123456789abcdefABCD", "***"),
        ("xoxb-0123456789-abcdefABCD", "***"),
        ("sk-proj-0123456789abcdefABCDEF0123456789", "***"),
        ("AKIAABCDEFGHIJKLMNOP", "***"),
        ("aws_secret_access_key = abcdefghij0123456789ABCDEFGHIJ0123456789", "aws_secret_access_key = ***"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2Q", "***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ('{"authorization": "token abc"}', '{"authorization": "token ***"}'),
        ("curl -H 'X: y' bearer 0123456789abcdefABCD", "curl -H 'X: y' bearer ***"),
        (f"before {KEY} after", "before *** after"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow cut off", "***"),
        (f"{KEY} and {KEY}", "*** and ***"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_its_place_stays_legible(text: str, masked: str):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/acme/churn/pull/7",
        "git@github.com:acme/churn.git",
        "http://127.0.0.1:8321/runs/run-0123456789abcdef",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "scikit-learn==1.5.0 task-runner basic understanding of bearer bonds",
        "accuracy >= 0.93 at 12:30@noon",
        "the glue-code hf_short sk-learn",
    ],
)
def test_ordinary_text_is_left_alone(text: str):
    assert mask(text) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    [
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN " + "A " * 50,
        "eyJaaaaaaaa-",
        "eyJaaaaaaaa.",
        "://a:",
        "://aaaaaaaaaaaaaaaaaaaaaaaaa",
        "?token=",
        "authorization: bearer ",
        "sk-",
        "ghp_",
    ],
)
def test_no_text_takes_quadratic_time(piece: str):
    """A quadratic pattern would need many minutes for these, and the timeout would end it."""
    mask(piece * (1_000_000 // len(piece)))
