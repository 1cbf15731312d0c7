"""Curves as pictures."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.comments.charts import HEIGHT, MOST_VERSIONS, VERSIONS_HEIGHT, WIDTH, curve_svg, version_chart
from bot.domain.plots import DRAWN_POINTS, Curve, curve

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(min_value=-1e100, max_value=1e100)


def words(picture: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(picture).iter(f"{SVG}text")]


def test_a_roc_curve_is_drawn_over_the_incumbents_with_both_areas() -> None:
    now, base = curve(b"fpr,tpr\n0,0\n0.1,0.9\n1,1\n"), curve(b"fpr,tpr\n0,0\n0.3,0.8\n1,1\n")

    picture = curve_svg(now, title="ROC curve", base=base, base_name="main")

    shown = words(picture)
    assert shown[:3] == ["ROC curve", "this run (area 0.9)", "main (area 0.75)"]
    assert shown[-2:] == ["false positive rate", "true positive rate"]
    assert shown[3:9] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert 'class="base" d="M74 344L' in picture
    assert 'class="chance"' in picture


def test_a_base_with_other_axes_is_left_out() -> None:
    picture = curve_svg(Curve("x", "y", ((0, 0), (1, 1))), title="t", base=Curve("x", "z", ((0, 0), (1, 1))))

    assert words(picture)[:2] == ["t", "this run"]
    assert 'class="base"' not in picture


def test_a_long_curve_stays_small() -> None:
    rows = "\n".join(f"{i},{i % 97}" for i in range(50_000))

    picture = curve_svg(curve(f"step,loss\n{rows}".encode()), title="loss")

    assert max(path.count("L") for path in re.findall(r' d="([^"]*)"', picture)) == DRAWN_POINTS - 1
    assert len(picture) < 8_000


def test_both_themes_are_in_the_picture_with_its_own_background() -> None:
    picture = curve_svg(Curve("x", "y", ((0, 0), (1, 1))), title="t")

    assert "@media (prefers-color-scheme: dark)" in picture
    assert f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}"' in picture


@pytest.mark.parametrize(
    "text", ["</text><script>alert(1)</script>", "{{7*7}}", '" onload="x', "\x00\ud800&nbsp;", "]]>"]
)
def test_text_in_a_picture_is_text(text: str) -> None:
    plain = curve_svg(Curve("x", "y", ((0, 0), (1, 1))), title="t", base=Curve("x", "y", ((0, 0), (1, 1))))

    picture = curve_svg(
        Curve(text, text, ((0, 0), (1, 1))), title=text, base=Curve(text, text, ((0, 0), (1, 1))), base_name=text
    )

    assert [e.tag for e in ET.fromstring(picture).iter()] == [e.tag for e in ET.fromstring(plain).iter()]
    assert "49" not in words(picture)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20), st.sampled_from([("fpr", "tpr"), ("x", "y")]))
@settings(deadline=None)
def test_any_numbers_stay_inside_the_picture(points: list[tuple[float, float]], labels: tuple[str, str]) -> None:
    picture = curve_svg(Curve(*labels, tuple(points)), title="t")

    [drawn] = re.findall(r'class="now" d="(M[^"]*)" stroke', picture)
    places = [tuple(map(float, pair.split())) for pair in drawn[1:].split("L")]
    assert len(places) == len(points)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_a_metric_over_versions_shows_which_ones_serve() -> None:
    points = [("v1.0.0", 0.91), ("v1.1.0", 0.93), ("v1.2.0", 0.951)]

    picture = version_chart("accuracy", points, {"v1.1.0", "v1.2.0"})

    assert words(picture) == [
        *("accuracy", "serves", "registered"),
        *("0.91", "0.92", "0.93", "0.94", "0.95", "0.96"),
        *("v1.0.0", "v1.1.0", "v1.2.0"),
        *("0.93", "0.951"),
    ]
    titles = [title.text for title in ET.fromstring(picture).iter(f"{SVG}title")]
    assert titles == [
        "accuracy over versions: v1.0.0 0.91; v1.1.0 0.93, served; v1.2.0 0.951, served",
        *("v1.0.0: 0.91", "v1.1.0: 0.93, serves", "v1.2.0: 0.951, serves"),
    ]
    assert "@media (prefers-color-scheme: dark)" in picture
    assert f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{VERSIONS_HEIGHT - 1}"' in picture


def test_many_versions_are_named_as_far_as_there_is_room_and_the_newest_is() -> None:
    picture = version_chart("rmse", [(f"v1.{number}.0", 50 + number % 11) for number in range(900)], set())

    named = [word for word in words(picture) if word.startswith("v1.")]
    assert picture.count('class="version" cx') == MOST_VERSIONS + 1  # one is the legend's
    assert 3 <= len(named) <= 7
    assert named[-1] == "v1.899.0"


@pytest.mark.parametrize("points", [[], [("v1.0.0", float("nan"))]])
def test_a_metric_that_no_version_has_is_said_to_be_so(points: list[tuple[str, float]]) -> None:
    assert words(version_chart("auc", points, {"v1.0.0"})) == ["auc", "No version has it yet."]


@given(st.lists(NUMBERS, min_size=1, max_size=30))
@settings(deadline=None)
def test_any_metric_over_versions_stays_inside_the_picture(values: list[float]) -> None:
    picture = version_chart("m", [(f"v1.0.{at}", value) for at, value in enumerate(values)], {"v1.0.0"})

    [drawn] = re.findall(r'class="line" d="M([^"]*)"', picture)
    places = [tuple(map(float, pair.split())) for pair in drawn.split("L")]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 12 <= y <= VERSIONS_HEIGHT for x, y in places)


def test_text_in_a_picture_of_versions_is_text() -> None:
    hostile = "</text><script>alert(1)</script>"

    picture = version_chart(hostile, [(hostile, 1.0)], {hostile})

    assert "<script" not in picture
    assert words(picture)[0] == hostile
