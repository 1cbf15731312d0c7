"""Measures the forest on rows that it has not seen."""

import csv
import json
import os
from pathlib import Path

import joblib
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score, roc_curve

from dataset import load_split

_, test_x, _, test_y = load_split()
model = joblib.load(Path(os.environ["MLOPS_MODEL_DIR"]) / "model.joblib")
probability = model.predict_proba(test_x)[:, 1]
predicted = (probability >= 0.5).astype(int)

output = Path(os.environ["MLOPS_OUTPUT_DIR"])
plots = output / "plots"
plots.mkdir(exist_ok=True)
metrics = {
    "accuracy": accuracy_score(test_y, predicted),
    "f1": f1_score(test_y, predicted),
    "roc_auc": roc_auc_score(test_y, probability),
    "log_loss": log_loss(test_y, probability),
}
(output / "metrics.json").write_text(json.dumps(metrics, indent=2))

# when this model is deployed, the server must predict the same of these rows
golden = {"inputs": test_x[:20].tolist(), "predictions": model.predict(test_x[:20]).tolist()}
(output / "golden.json").write_text(json.dumps(golden))

names = {0: "malignant", 1: "benign"}
with (plots / "confusion_matrix.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["actual", "predicted"])
    writer.writerows((names[int(a)], names[int(p)]) for a, p in zip(test_y, predicted))

with (plots / "roc.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["fpr", "tpr"])
    writer.writerows(zip(*roc_curve(test_y, probability)[:2]))

print(f"accuracy {metrics['accuracy']:.4f} on {len(test_x)} rows")
