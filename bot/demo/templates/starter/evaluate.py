"""Measures the tree on rows that it has not seen."""

import csv
import json

import joblib
from sklearn.metrics import accuracy_score, f1_score
from world import MODEL, OUTPUT, load_split

_, test_x, _, test_y = load_split()
predicted = joblib.load(MODEL / "model.joblib").predict(test_x)

metrics = {
    "accuracy": accuracy_score(test_y, predicted),
    "f1": f1_score(test_y, predicted, average="macro"),
}
(OUTPUT / "metrics.json").write_text(json.dumps(metrics, indent=2))

with (OUTPUT / "plots" / "confusion_matrix.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["actual", "predicted"])
    writer.writerows(zip(test_y, predicted, strict=True))

print(f"accuracy {metrics['accuracy']:.4f} on {len(test_x)} rows")
