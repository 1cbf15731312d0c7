"""Reads the table and splits it, the same way for training and evaluation."""

import os
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split


def load_split():
    """Features and labels as (train x, test x, train y, test y)."""
    path = Path(os.environ["MLOPS_DATA_DIR"]) / "breast_cancer.csv"
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return train_test_split(
        table[:, :-1],
        table[:, -1].astype(int),
        test_size=float(os.environ["MLOPS_SPLIT_TEST"]),
        random_state=int(os.environ["MLOPS_SPLIT_SEED"]),
        stratify=table[:, -1],
    )
