"""Trains a random forest that tells benign from malignant tumours."""

import json
import os
from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier

from dataset import load_split

params = json.loads(Path(os.environ["MLOPS_PARAMS"]).read_text())
train_x, _, train_y, _ = load_split()

print(f"training on {len(train_x)} rows with {params}")
model = RandomForestClassifier(**params, random_state=0).fit(train_x, train_y)

joblib.dump(model, Path(os.environ["MLOPS_MODEL_DIR"]) / "model.joblib")
print(f"trained {len(model.estimators_)} trees")
