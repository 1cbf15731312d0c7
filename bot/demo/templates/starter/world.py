"""Where things are. mlops-bot names the places in environment variables; by hand they are beside the scripts."""

import csv
import json
import os
from pathlib import Path

from sklearn.model_selection import train_test_split

DATA = Path(os.environ.get("MLOPS_DATA_DIR", "data"))
MODEL = Path(os.environ.get("MLOPS_MODEL_DIR", "model"))
OUTPUT = Path(os.environ.get("MLOPS_OUTPUT_DIR", "output"))
MODEL.mkdir(exist_ok=True)
(OUTPUT / "plots").mkdir(parents=True, exist_ok=True)


def params():
    """The params of mlops.yaml, with what a comment such as `/train max_depth=5` has set."""
    path = os.environ.get("MLOPS_PARAMS")
    return json.loads(Path(path).read_text()) if path else {}


def load_split():
    """Measurements and species, as (train x, test x, train y, test y): the same for training and evaluation."""
    with (DATA / "flowers.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    species = [row[-1] for row in rows]
    return train_test_split(
        [[float(value) for value in row[:-1]] for row in rows],
        species,
        test_size=float(os.environ.get("MLOPS_SPLIT_TEST", "0.3")),
        random_state=int(os.environ.get("MLOPS_SPLIT_SEED", "7")),
        stratify=species,
    )
