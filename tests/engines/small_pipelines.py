"""Compiles small pipelines of the standard shape, whose steps run the Python that a test gives them.

Run as a program, `python small_pipelines.py FOLDER`, so that a test's own process never imports kfp.
"""

import sys
from pathlib import Path

from kfp import compiler, dsl


@dsl.component(install_kfp_package=False, base_image="python:3.11")
def step(name: str, run_prefix: str, command: dict):
    """Does what the real steps do: tells where it is, and runs what it is given."""
    import datetime
    import json
    import os
    import pathlib
    import urllib.parse

    from pipelines.arguments import unpack

    folder = pathlib.Path(urllib.parse.unquote(urllib.parse.urlsplit(run_prefix).path))
    report = folder / "steps" / f"{name}.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    fields = {"name": name, "state": "running", "ended_at": None}
    fields["started_at"] = datetime.datetime.now(datetime.UTC).isoformat()

    def tell():
        beside = report.with_suffix(".new")
        beside.write_text(json.dumps(fields))
        beside.replace(report)

    tell()
    with (folder / "begun.txt").open("a") as begun:
        begun.write(f"{name}\n")
    try:
        exec(unpack(command).get("code", ""), {"folder": folder, "os": os, "Path": pathlib.Path})
    except BaseException:
        fields["state"] = "failed"
        raise
    else:
        fields["state"] = "succeeded"
    finally:
        fields["ended_at"] = datetime.datetime.now(datetime.UTC).isoformat()
        tell()


@dsl.component(install_kfp_package=False, base_image="python:3.11")
def report(run_prefix: str, status: dsl.PipelineTaskFinalStatus):
    import json
    import os
    import pathlib
    import urllib.parse

    folder = pathlib.Path(urllib.parse.unquote(urllib.parse.urlsplit(run_prefix).path))
    stop = pathlib.Path(os.environ["MLOPS_BOT_WORKDIR"]) / "stop.json"
    words = json.loads(stop.read_text()) if stop.exists() else None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps({"status": status.state, "stop": words}))


@dsl.pipeline(name="train")
def train_pipeline(run_id: str, run_prefix: str, train: dict, evaluate: dict, fetch: dict):
    exit_task = report(run_prefix=run_prefix)
    with dsl.ExitHandler(exit_task, name="steps"):
        fetched = step(name="fetch", run_prefix=run_prefix, command=fetch).set_display_name("fetch")
        trained = step(name="train", run_prefix=run_prefix, command=train).set_display_name("train").after(fetched)
        step(name="evaluate", run_prefix=run_prefix, command=evaluate).set_display_name("evaluate").after(trained)


if __name__ == "__main__":
    compiler.Compiler().compile(train_pipeline, str(Path(sys.argv[1]) / "train.yaml"))
