"""Fits a ridge regression of how far diabetes has progressed after a year."""

import json
import os
from pathlib import Path

import joblib
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dataset import load_split

params = json.loads(Path(os.environ["MLOPS_PARAMS"]).read_text())
train_x, _, train_y, _ = load_split()

print(f"fitting {len(train_x)} rows with {params}")
model = make_pipeline(StandardScaler(), Ridge(alpha=params["alpha"])).fit(train_x, train_y)

joblib.dump(model, Path(os.environ["MLOPS_MODEL_DIR"]) / "model.joblib")
