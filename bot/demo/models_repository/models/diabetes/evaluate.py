"""Measures the regression on rows that it has not seen."""

import csv
import json
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from dataset import load_split

_, test_x, _, test_y = load_split()
model = joblib.load(Path(os.environ["MLOPS_MODEL_DIR"]) / "model.joblib")
predicted = model.predict(test_x)

output = Path(os.environ["MLOPS_OUTPUT_DIR"])
plots = output / "plots"
plots.mkdir(exist_ok=True)
metrics = {
    "rmse": root_mean_squared_error(test_y, predicted),
    "mae": mean_absolute_error(test_y, predicted),
    "r2": r2_score(test_y, predicted),
}
(output / "metrics.json").write_text(json.dumps(metrics, indent=2))

# when this model is deployed, the server must predict the same of these rows
golden = {"inputs": test_x[:20].tolist(), "predictions": predicted[:20].tolist()}
(output / "golden.json").write_text(json.dumps(golden))

errors = np.sort(np.abs(test_y - predicted))
with (plots / "error_distribution.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["absolute_error", "share_of_rows"])
    writer.writerows((error, (rank + 1) / len(errors)) for rank, error in enumerate(errors))

print(f"rmse {metrics['rmse']:.2f} on {len(test_x)} rows")
