"""The CSV files that the bot draws itself are hostile until read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plots import (
    CLASS_LIMIT,
    DRAWN_POINTS,
    PLOT_LIMIT_BYTES,
    BadPlot,
    ConfusionMatrix,
    Curve,
    confusion_matrix,
    curve,
    parse_plot,
)
from bot.domain.result import Plot, PlotKind


def test_a_confusion_matrix_counts_examples() -> None:
    matrix = confusion_matrix(b"actual,predicted\ncat,cat\ncat,dog\ndog,dog\ncat,cat\n")

    assert matrix == ConfusionMatrix(("cat", "dog"), {("cat", "cat"): 2, ("cat", "dog"): 1, ("dog", "dog"): 1})
    assert (matrix.total, matrix.correct, matrix.recall("cat")) == (4, 3, pytest.approx(2 / 3))
    assert matrix.confusions() == [("cat", "dog", 1)]


def test_a_confusion_matrix_may_come_counted_with_columns_in_any_order() -> None:
    matrix = confusion_matrix(b"\xef\xbb\xbfcount, Predicted ,ACTUAL\r\n5,a,a\r\n2,b,a\r\n")

    assert matrix.counts == {("a", "a"): 5, ("a", "b"): 2}
    assert matrix.recall("b") is None


def test_classes_are_in_the_order_of_numbers_then_words() -> None:
    matrix = confusion_matrix(b"actual,predicted\n10,9\nb,2\nnan,a\n")

    assert matrix.classes == ("2", "9", "10", "a", "b", "nan")


def test_a_roc_curve_has_an_area_whichever_way_it_runs() -> None:
    forth = curve(b"fpr,tpr\n0,0\n0,1\n1,1\n")
    back = curve(b"threshold,tpr,fpr\n0,1,1\n0.5,1,0\ninf,0,0\n")

    assert forth == Curve("fpr", "tpr", ((0, 0), (0, 1), (1, 1)), 1.0)
    assert back.area == 1.0


def test_any_two_columns_make_a_curve() -> None:
    assert curve(b"epoch,loss,lr\n1,0.9,x\n2,0.5,y\n") == Curve("epoch", "loss", ((1, 0.9), (2, 0.5)))


def test_a_long_curve_is_thinned_and_keeps_its_ends_peak_and_area() -> None:
    rows = [f"{i / 9999},{0.5 if i != 5000 else 9}" for i in range(10_000)]

    thinned = curve(("fpr,tpr\n" + "\n".join(rows)).encode())

    assert len(thinned.points) == DRAWN_POINTS
    assert (thinned.points[0], thinned.points[-1]) == ((0.0, 0.5), (1.0, 0.5))
    assert max(y for _, y in thinned.points) == 9
    assert thinned.area == pytest.approx(0.5 + 8.5 / 9999)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the header is ``, expected `actual,predicted`."),
        (b"a,b\n1,2\n", "the header is `a,b`, expected `actual,predicted`."),
        (b"actual,predicted\n", "there are no rows below the header."),
        (b"actual,predicted\ncat\n", "row 2 has 1 values, expected 2."),
        (b"actual,predicted,count\na,b,-3\n", "row 2: the count `-3` is not a whole number."),
        (b"actual,predicted,count\na,b,\xd9\xa3\n", "row 2: the count `٣` is not a whole number."),
        (b"actual,predicted\n\xff\xfe\n", "the file is not UTF-8: byte 17 is not text."),
        (b"x" * (PLOT_LIMIT_BYTES + 1), "the file is larger than 8 MiB."),
        (b'actual,predicted\n"' + b"x" * 200_000, "the file is not CSV: field larger than field limit (131072)."),
        (
            b"actual,predicted\n" + b"".join(b"%d,0\n" % i for i in range(CLASS_LIMIT + 1)),
            f"there are {CLASS_LIMIT + 1} classes, more than {CLASS_LIMIT}.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_confusion_matrix_is_said(content: bytes, problem: str) -> None:
    with pytest.raises(BadPlot) as said:
        confusion_matrix(content)

    assert said.value.problem == problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the header is ``, expected the names of two columns."),
        (b"0,0\n1,1\n", "the header is `0,0`, expected the names of two columns."),
        (b"fpr,tpr\n0,0\n", "a curve needs two points, found 1."),
        (b"fpr,tpr\n0,0\n0.5,nan\n", "row 3: `nan` can not be drawn."),
        (b"fpr,tpr\n0,inf\n", "row 2: `inf` can not be drawn."),
        (b"x,y\n0,1e300\n", "row 2: `1e300` can not be drawn."),
        (b"x,y\n0,one\n", "row 2: `one` is not a number."),
        (b"x,y\n0\n", "row 2 has 1 values, expected 2."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_curve_is_said(content: bytes, problem: str) -> None:
    with pytest.raises(BadPlot) as said:
        curve(content)

    assert said.value.problem == problem


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"fpr,tpr\n0,0\n" + tail))
def test_no_file_breaks_the_parsers(content: bytes) -> None:
    for kind in PlotKind:
        parsed = parse_plot(Plot("plots/x", kind, "x"), content)
        assert (parsed is None) == (kind in (PlotKind.IMAGE, PlotKind.VEGA_LITE))
