"""Trains a decision tree that tells three species of iris apart."""

import joblib
from sklearn.tree import DecisionTreeClassifier
from world import MODEL, load_split, params

train_x, _, train_y, _ = load_split()
model = DecisionTreeClassifier(**params(), random_state=0).fit(train_x, train_y)

joblib.dump(model, MODEL / "model.joblib")
print(f"trained on {len(train_x)} rows with {params()}: {model.get_n_leaves()} leaves")
