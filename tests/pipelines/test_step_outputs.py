"""What a command left: metrics, plots, the model, the log. All of it comes from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.steps.failure import FailureKind, Frame, StepFailed
from pipelines.steps.frames import last_exception
from pipelines.steps.masking import Masker
from pipelines.steps.metrics import METRICS_LIMIT_BYTES, read_metrics
from pipelines.steps.model import digest_of, keep_model, model_files
from pipelines.steps.plots import collect_plots, for_kubeflow
from pipelines.steps.step_log import LOG_LIMIT_BYTES, TAIL_LIMIT_BYTES, StepLog


class KeptSink:
    def __init__(self) -> None:
        self.content = b""

    def write(self, content: bytes) -> None:
        self.content += content

    def tick(self, now_s: float) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "metrics.json is not JSON: Expecting value: line 1 column 1 (char 0)."),
        ("\udcff", "metrics.json is not JSON"),
        ("[" * 100_000, "metrics.json is not JSON: maximum recursion depth exceeded"),
        ("[0.9]", "metrics.json holds a list, not an object."),
        ("0.9", "metrics.json holds a number, not an object."),
        ("{}", "metrics.json holds no metric."),
        ('{"a": "0.9"}', 'The metric `a` in metrics.json is the text "0.9", not a number.'),
        ('{"a": true}', "The metric `a` in metrics.json is true, not a number."),
        ('{"a": null}', "The metric `a` in metrics.json is null, not a number."),
        ('{"a": [1]}', "The metric `a` in metrics.json is a list, not a number."),
        ('{"a": {"mean": 1}}', "The metric `a` in metrics.json is an object without `value`."),
        ('{"a": {"value": 1, "std": NaN}}', "The metric `a.std` in metrics.json is NaN (not a number)."),
        ('{"a": -Infinity}', "The metric `a` in metrics.json is infinite."),
        ('{"a": 1e999}', "The metric `a` in metrics.json is infinite."),
        (f'{{"a": 1{"0" * 400}}}', "The metric `a` in metrics.json is infinite."),
        ('{"": 1}', "metrics.json has a metric with the name ''."),
        ('{"a\\n/deploy production": 1}', "metrics.json has a metric with the name 'a\\n/deploy production'."),
        (json.dumps({str(i): i for i in range(501)}), "metrics.json holds 501 metrics; at most 500 are read."),
        (" " * (METRICS_LIMIT_BYTES + 1), "metrics.json is larger than 1 MB."),
    ],
)
def test_each_way_in_which_metrics_are_wrong_has_its_words(tmp_path: Path, content: str, message: str):
    (tmp_path / "metrics.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(StepFailed) as failed:
        read_metrics(tmp_path / "metrics.json", missing="")

    assert failed.value.kind is FailureKind.BAD_METRICS
    assert failed.value.message.startswith(message)
    assert failed.value.fix


def test_a_link_is_not_taken_for_metrics(tmp_path: Path):
    (tmp_path / "real.json").write_text('{"a": 1}')
    (tmp_path / "metrics.json").symlink_to("real.json")

    with pytest.raises(StepFailed, match="none here"):
        read_metrics(tmp_path / "metrics.json", missing="none here")


def test_good_plots_are_kept_and_the_others_are_told_of(tmp_path: Path):
    plots = tmp_path / "plots"
    plots.mkdir()
    (plots / "confusion_matrix.csv").write_text("actual,predicted\n0,0\n0,1\n1,1\n")
    (plots / "roc.csv").write_text("fpr,tpr\n0,0\n0.5,1\n")
    (plots / "learning-curve.csv").write_text("step,loss\n1,0.5\n")
    (plots / "scatter.png").write_bytes(b"\x89PNG\r\n\x1a\n...")
    (plots / "tree.svg").write_text("<?xml version='1.0'?><svg/>")
    (plots / "bars.json").write_text('{"$schema": "https://vega.github.io/schema/vega-lite/v5.json"}')
    (plots / "fake.png").write_text("<script>")
    (plots / "three.csv").write_text("a,b,c\n1,2,3\n")
    (plots / "words.csv").write_text("a,b\nx,y\n")
    (plots / "data.json").write_text("[1]")
    (plots / "big.svg").write_bytes(b"<svg" + b" " * 5 * 1024**2)
    (plots / "a b.png").write_bytes(b"")
    (plots / "run.sh").write_text("")
    (plots / "linked.svg").symlink_to("tree.svg")
    (plots / "folder.png").mkdir()
    put: list[str] = []
    said: list[str] = []

    kept = collect_plots(plots, lambda file, path: put.append(path), said.append)

    assert kept == [
        {"path": "plots/bars.json", "kind": "vega_lite", "title": "Bars"},
        {"path": "plots/confusion_matrix.csv", "kind": "confusion_matrix", "title": "Confusion matrix"},
        {"path": "plots/learning-curve.csv", "kind": "curve", "title": "Learning curve"},
        {"path": "plots/roc.csv", "kind": "curve", "title": "ROC curve"},
        {"path": "plots/scatter.png", "kind": "image", "title": "Scatter"},
        {"path": "plots/tree.svg", "kind": "image", "title": "Tree"},
    ]
    assert put == [plot["path"] for plot in kept]
    assert said == [
        "The plot 'a b.png' is left out: its name has other characters than letters, digits, `.`, `_` and `-`.",
        "The plot 'big.svg' is left out: it is larger than 5 MB.",
        "The plot 'data.json' is left out: its `$schema` does not name Vega-Lite.",
        "The plot 'fake.png' is left out: it is not a PNG picture.",
        "The plot 'folder.png' is left out: it is not a plain file.",
        "The plot 'linked.svg' is left out: it is not a plain file.",
        "The plot 'run.sh' is left out: it is neither PNG, SVG, Vega-Lite JSON nor CSV.",
        "The plot 'three.csv' is left out: a curve has two columns.",
        "The plot 'words.csv' is left out: a curve has only numbers below its header.",
    ]
    kubeflow = for_kubeflow(plots, kept)
    assert kubeflow["confusionMatrix"] == {
        "annotationSpecs": [{"displayName": "0"}, {"displayName": "1"}],
        "rows": [{"row": [1, 1]}, {"row": [0, 1]}],
    }
    assert [(p["falsePositiveRate"], p["recall"]) for p in kubeflow["confidenceMetrics"]] == [(0.0, 0.0), (0.5, 1.0)]


def test_no_more_plots_than_the_limit_are_kept(tmp_path: Path):
    for i in range(52):
        (tmp_path / f"{i:02}.svg").write_text("<svg/>")
    said: list[str] = []

    assert len(collect_plots(tmp_path, lambda file, path: None, said.append)) == 50
    assert said == [f"The plot '{i}.svg' is left out: at most 50 plots are kept." for i in (50, 51)]


def test_the_models_digest_depends_on_names_and_contents_alone(tmp_path: Path):
    def digest(name: str, files: dict[str, str]) -> str:
        folder = tmp_path / name
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return digest_of(folder, model_files(folder))

    same = digest("a", {"m/w.bin": "1", "x": "2"})

    assert digest("b", {"x": "2", "m/w.bin": "1"}) == same
    assert digest("c", {"m/w.bin": "1", "y": "2"}) != same
    assert digest("d", {"m/w.bin": "1", "x": "3"}) != same
    assert digest("e", {"m/w.bi": "n1", "x": "2"}) != same


def test_a_link_that_leads_out_of_the_models_folder_is_refused(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stolen").symlink_to("/etc/passwd")

    with pytest.raises(StepFailed, match="`stolen` in the model's folder is a link that leads out of it") as failed:
        keep_model(tmp_path / "model", lambda file, path: None)

    assert failed.value.kind is FailureKind.NO_MODEL


def test_only_the_last_exception_near_the_end_of_the_log_counts(tmp_path: Path):
    (tmp_path / "train.py").write_text("")
    head = "Traceback (most recent call last):"
    handled = [
        head,
        f'  File "{tmp_path}/train.py", line 3, in load',
        "    x",
        "OSError",
    ]
    raised = [
        head,
        f'  File "{tmp_path}/train.py", line 9, in <module>',
        "    main()",
        "    ~~~~^^",
        '  File "/usr/lib/python3/json/decoder.py", line 1, in decode',
        "    ...",
        "pkg.errors.Bad: no such column",
        "ERROR: failed to run: python train.py, exited with 1",
    ]

    def found(lines: list[str]) -> object:
        return last_exception(lines, checkout=tmp_path, folder=tmp_path)

    expected = (Frame("train.py", 9, "<module>"),)
    last = last_exception([*handled, "going on", *raised], checkout=tmp_path, folder=tmp_path)
    assert last is not None
    assert (last.message, last.frames) == ("pkg.errors.Bad: no such column", expected)
    assert found([*handled, *(["going on"] * 60)]) is None
    assert found(["no traceback"]) is None
    assert found([*raised[:6], "ends in the midst of it, without an exception"]) is None


def test_a_log_is_masked_bounded_and_ends_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.steps.step_log.LOG_LIMIT_BYTES", 90)
    assert LOG_LIMIT_BYTES == 50 * 1024**2
    sink = KeptSink()
    log = StepLog(sink, Masker(["hunter22"]))

    log.feed(b"pass hunt")
    log.feed(b"er22 end\r\nbroken \xff\xfe utf-8\n" + b"x" * 60 + b"\n" + b"last\n")
    log.end_of_output()

    first, second, end = sink.content.decode().splitlines()
    assert (first, second) == ("pass *** end", "broken \ufffd\ufffd utf-8")
    assert end.startswith("(the log ends here: it is larger than ")
    assert log.tail() == [first, second, "x" * 60, "last"]


def test_a_line_without_an_end_is_written_in_pieces_and_its_secrets_are_masked_across_them():
    sink = KeptSink()
    log = StepLog(sink, Masker(["hunter22"]))

    for _ in range(30):
        log.feed(b"a" * 9_996 + b"hunt")
        log.feed(b"er22")

    log.end_of_output()
    assert b"hunter22" not in sink.content.replace(b"\n", b"")
    assert sink.content.replace(b"\n", b"").count(b"a") == 30 * 9_996


def test_a_progress_bar_is_written_now_and_then_not_each_time_it_is_drawn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.steps.step_log._REDRAW_PAUSE_S", 3600.0)
    sink = KeptSink()
    log = StepLog(sink, Masker())

    for percent in range(101):
        log.feed(f"\r{percent}%".encode())
    log.feed(b"\ndone\n")

    assert sink.content == b"0%\n100%\ndone\n"


def test_the_tail_is_bounded_in_lines_and_size():
    log = StepLog(KeptSink(), Masker())
    log.feed("".join(f"{i} {'é' * 3_000}\n" for i in range(300)).encode())

    tail = log.tail()

    assert tail[-1] == f"299 {'é' * 3_000}"[:2_000]
    assert sum(len(line.encode()) for line in tail) <= TAIL_LIMIT_BYTES
