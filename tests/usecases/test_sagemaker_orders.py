"""What `runs_on: sagemaker` makes of a run: what the step is told, and which runs count as equal."""

from __future__ import annotations

from bot.domain.run import Phase, Run
from tests.usecases.kit import Place, project


def on_sagemaker(place: Place, *, image: str = "acme/train:1", bucket: str = "s3://acme") -> Run:
    settings = f"role: 'arn:aws:iam::123456789012:role/training', instance: ml.m5.xlarge, image: '{image}'"
    train = f"train: {{run: python train.py, runs_on: sagemaker, sagemaker: {{{settings}, bucket: '{bucket}'}}}}"
    sha = place.commit(mlops_yaml=project().replace("train: {run: python train.py}", train))
    place.look()
    return place.run(sha)


def test_the_step_is_told_of_the_job_and_a_model_that_trains_here_is_told_nothing(place: Place):
    here = place.run(place.start())
    place.end(here, accuracy=0.97)

    there = on_sagemaker(place)

    assert "sagemaker" not in here.arguments["train"]
    assert there.phase is Phase.RUNNING
    assert there.arguments["train"] == {
        **here.arguments["train"],
        "sagemaker": {
            "role": "arn:aws:iam::123456789012:role/training",
            "instance": "ml.m5.xlarge",
            "image": "acme/train:1",
            "bucket": "s3://acme",
            "count": 1,
            "volume_gib": 30,
            "spot": False,
            "max_wait_s": 3600,
            "region": "",
        },
    }


def test_another_image_trains_again_and_another_bucket_does_not(place: Place):
    place.end(place.run(place.start()), accuracy=0.97)
    first = on_sagemaker(place)
    place.end(first, accuracy=0.97)

    elsewhere = on_sagemaker(place, bucket="s3://other")
    newer = on_sagemaker(place, image="acme/train:2")

    assert elsewhere.key == first.key
    assert newer.key != first.key
    assert newer.phase is Phase.RUNNING
