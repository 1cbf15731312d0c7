"""Lines of a comment to commands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.command import (
    FORMS,
    Approve,
    Cancel,
    CommandLine,
    CommandProblem,
    Deploy,
    Evaluate,
    Help,
    OkToTest,
    Override,
    Reject,
    Retry,
    Rollback,
    Status,
    Train,
    help_text,
    parse_commands,
)
from tests.domain.examples import HOSTILE_TEXT, PROPERTY

TRAIN_USAGE = "Usage: `/train [model] [name=value …] [data=<rev>] [--force]`"


def parsed(*lines: str):
    return parse_commands([CommandLine(number, text) for number, text in enumerate(lines, start=1)])


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/train", Train(line=1)),
        ("/Train  churn ", Train(line=1, model="churn")),
        ("/mlops train churn", Train(line=1, model="churn")),
        ("/mlops\t/train", Train(line=1)),
        (
            "/train churn lr=0.1 n=400 data=v2 --force",
            Train(line=1, model="churn", params={"lr": "0.1", "n": "400"}, data_rev="v2", force=True),
        ),
        ("/train lr=0.1 churn", Train(line=1, model="churn", params={"lr": "0.1"})),
        ('/train note="two words"', Train(line=1, params={"note": "two words"})),
        ("/train note='it is'", Train(line=1, params={"note": "it is"})),
        ("/train note=“two words”", Train(line=1, params={"note": "two words"})),
        (r'/train note="a \"b\" c:\d"', Train(line=1, params={"note": 'a "b" c:\\d'})),
        ("/train note=it's", Train(line=1, params={"note": "it's"})),
        ("/train note=a=b", Train(line=1, params={"note": "a=b"})),
        ("/train note=", Train(line=1, params={"note": ""})),
        ("/train layers=[64, 32] k=1", Train(line=1, params={"layers": "[64, 32]", "k": "1"})),
        ('/train names=["a b", "]"]', Train(line=1, params={"names": '["a b", "]"]'})),
        ("/train —force", Train(line=1, force=True)),
        ('/train "--force"', Train(line=1, model="--force")),
        ("/train n=`id` m={{7*7}}", Train(line=1, params={"n": "`id`", "m": "{{7*7}}"})),
        ("/evaluate", Evaluate(line=1)),
        ("/evaluate churn", Evaluate(line=1, model="churn")),
        ("/status", Status(line=1)),
        ("/help", Help(line=1)),
        ("/cancel churn", Cancel(line=1, model="churn")),
        ("/retry", Retry(line=1)),
        ("/override auc it's known noise", Override(line=1, gate="auc", reason="it's known noise")),
        (
            "/override auc >= production - 0.005 known noise",
            Override(line=1, gate="auc >= production - 0.005", reason="known noise"),
        ),
        ('/override "auc >= 0.9" because', Override(line=1, gate="auc >= 0.9", reason="because")),
        ('/override auc "half a quote', Override(line=1, gate="auc", reason='"half a quote')),
        ("/ok-to-test", OkToTest(line=1)),
        ("/deploy staging", Deploy(line=1, environment="staging")),
        ("/deploy staging churn", Deploy(line=1, environment="staging", model="churn")),
        ("/approve", Approve(line=1)),
        ("/approve production", Approve(line=1, environment="production")),
        ("/reject production too slow", Reject(line=1, environment="production", reason="too slow")),
        ("/reject", Reject(line=1)),
        ("/rollback production", Rollback(line=1, environment="production")),
        ("/rollback production v1.2.0", Rollback(line=1, environment="production", version="v1.2.0")),
        ("/rollback production churn", Rollback(line=1, environment="production", model="churn")),
        ("/rollback production churn 7", Rollback(line=1, environment="production", model="churn", version="7")),
    ],
)
def test_a_line_is_read_as_people_write_it(line, command):
    assert parsed(line) == [command]


@pytest.mark.parametrize(
    ("line", "problem", "fix"),
    [
        (
            "/train --forc",
            "`--forc` is not an option of `/train`.",
            f"Did you mean `--force`? {TRAIN_USAGE}",
        ),
        ("/train --lr=3", "`--lr=3` is not an option.", f"Values have no dashes: `lr=3`. {TRAIN_USAGE}"),
        ("/train n=$(rm -rf ~)", "`-rf` is not an option of `/train`.", f"Leave it out. {TRAIN_USAGE}"),
        ("/train -x", "`-x` is not an option of `/train`.", f"Leave it out. {TRAIN_USAGE}"),
        ("/train lr = 3", "`=` stands alone.", f"Write `name=value` without spaces around `=`. {TRAIN_USAGE}"),
        ("/train lr=1 lr=2", "`lr` is given twice.", f"Give it once. {TRAIN_USAGE}"),
        (
            "/train a b",
            "`b` is one word too many.",
            f"Put a value with spaces in quotes, and leave out the rest. {TRAIN_USAGE}",
        ),
        (
            '/train note="open',
            '`"open` begins with `"`, which is never closed.',
            f"Close it. {TRAIN_USAGE}",
        ),
        ("/train l=[1, 2", "`[1, 2` begins with `[`, which is never closed.", f"Close it. {TRAIN_USAGE}"),
        (
            "/train data=--upload-pack=x",
            "`data=--upload-pack=x` is not a revision.",
            f"Write a branch, a tag or a commit: `data=v2`. {TRAIN_USAGE}",
        ),
        (
            "/train data=",
            "`data=` is not a revision.",
            f"Write a branch, a tag or a commit: `data=v2`. {TRAIN_USAGE}",
        ),
        (
            "/train data=a..b",
            "`data=a..b` is not a revision.",
            f"Write a branch, a tag or a commit: `data=v2`. {TRAIN_USAGE}",
        ),
        (
            "/evaluate lr=3",
            "`/evaluate` takes no values, but `lr` is given one.",
            "Leave it out. Usage: `/evaluate [model]`",
        ),
        ("/status now", "`now` is one word too many.", "Leave it out. Usage: `/status`"),
        ("/deploy", "`/deploy` needs `<environment>`.", "Usage: `/deploy <environment> [model] [--major]`"),
        (
            "/override auc",
            "Why may `auc` be missed?",
            "Add the reason: it is kept, and shown with the result. Usage: `/override <gate> <reason>`",
        ),
        ("/train " + "x" * 2000, "The line is longer than 2000 characters.", TRAIN_USAGE),
    ],
)
def test_what_is_not_understood_is_answered_with_the_usage_and_the_nearest_match(line, problem, fix):
    assert parsed(line) == [CommandProblem(line=1, text=line[:2000], problem=problem, fix=fix)]


@pytest.mark.parametrize("line", ["/trian", "/usr/bin/python", "/", "//train", "/train/data", "/retest", "train", ""])
def test_slash_words_that_are_not_ours_stay_unanswered(line):
    assert parsed(line) == []


@pytest.mark.parametrize(
    ("line", "problem", "guess"),
    [
        ("/mlops trian", "`trian` is not a command.", "Did you mean `/mlops train`? "),
        ("/mlops deplo", "`deplo` is not a command.", "Did you mean `/mlops deploy`? "),
        ("/mlops qqq", "`qqq` is not a command.", ""),
        ("/mlops", "`/mlops` alone is not a command.", ""),
    ],
)
def test_with_our_prefix_an_unknown_word_is_answered(line, problem, guess):
    known = ", ".join(f"`{name}`" for name in FORMS)

    (answer,) = parsed(line)

    assert isinstance(answer, CommandProblem)
    assert answer.problem == problem
    assert answer.fix == f"{guess}Usage: `/mlops <command>`, one of {known}."


def test_all_lines_are_carried_out_in_order_and_keep_their_numbers():
    lines = [CommandLine(3, "/train"), CommandLine(5, "/unknown"), CommandLine(9, "/status")]

    assert parse_commands(lines) == [Train(line=3), Status(line=9)]


def test_a_comment_of_a_thousand_commands_carries_out_twenty_and_says_so():
    answers = parsed(*["/status"] * 1000)

    assert answers[:20] == [Status(line=number) for number in range(1, 21)]
    assert answers[20:] == [
        CommandProblem(
            line=21,
            text="/status",
            problem="Only the first 20 commands of a comment are carried out.",
            fix="Write the rest in another comment.",
        )
    ]


def test_a_hidden_marker_is_never_repeated_in_an_answer():
    (answer,) = parsed("/train a <!--mlops-bot:change--> b")

    assert "<!--" not in f"{answer.problem}{answer.fix}"


def test_help_is_a_table_with_a_row_for_every_command():
    lines = help_text().splitlines()

    assert lines[:2] == ["| Command | What it does |", "| --- | --- |"]
    assert "| `/ok-to-test` | Let a fork's head run, for this commit, without secrets. |" in lines
    assert [line.split("`")[1].split()[0] for line in lines[2 : 2 + len(FORMS)]] == [f"/{name}" for name in FORMS]
    assert lines[-1] == "One command a line, at its start. Where another bot answers too, write `/mlops train`."


COMMAND_TEXT = st.builds(
    "{}{} {}".format, st.sampled_from(["/", "/mlops ", "/mlops /"]), st.sampled_from(list(FORMS)), HOSTILE_TEXT
)


@PROPERTY
@given(st.lists(COMMAND_TEXT | HOSTILE_TEXT, max_size=4))
def test_no_line_crashes_the_grammar(lines):
    for answer in parsed(*lines):
        assert 1 <= answer.line <= len(lines)
        if isinstance(answer, CommandProblem):
            assert "Usage: " in answer.fix
            assert "\n" not in answer.problem + answer.fix


@PROPERTY
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(lambda name: name != "data"),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
        max_size=4,
    )
)
def test_every_value_can_be_given_in_quotes(params):
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in params.items()}
    line = "/train " + " ".join(f'{name}="{value}"' for name, value in escaped.items())

    assert parsed(line) == [Train(line=1, params=params)]


@PROPERTY
@given(st.lists(st.integers() | st.text(alphabet="abc ],[", max_size=5), max_size=4))
def test_a_list_can_be_given_as_json_without_quotes(items):
    text = json.dumps(items)

    assert parsed(f"/train l={text} k=1") == [Train(line=1, params={"l": text, "k": "1"})]
