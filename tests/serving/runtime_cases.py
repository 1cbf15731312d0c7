"""`python runtime_cases.py <folder of the server program> <scratch>`: each kind of model file, loaded as it is served.

Runs in an environment with the libraries of all runtimes. Prints for each case what the loaded model says, and what
the model said that was saved.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import pickle
import sys
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import skl2onnx
import skops.io
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

program, scratch = Path(sys.argv[1]), Path(sys.argv[2])
spec = importlib.util.spec_from_file_location(
    "server", program / "__init__.py", submodule_search_locations=[str(program)]
)
sys.modules["server"] = importlib.util.module_from_spec(spec)
loading, tensors, instances = (
    importlib.import_module(f"server.{name}") for name in ("loading", "tensors", "instances")
)

rows, classes = load_iris(return_X_y=True)
some = rows[::25]
names = np.array(["setosa", "versicolor", "virginica"])
logistic = LogisticRegression(max_iter=1000).fit(rows, classes)
told = {}


def case(name, runtime, save, inputs, expected, code=None):
    folder = scratch / name
    folder.mkdir()
    save(folder)
    output = next(iter(loading.load(runtime, folder, code).predict(inputs).values()))
    array = tensors.output_array(output)
    told[name] = {
        "datatype": tensors.datatype_of(array),
        "served": array.tolist(),
        "evaluated": np.asarray(expected).tolist(),
    }


def saved(model, name="model.joblib"):
    return lambda folder: joblib.dump(model, folder / name)


case("joblib", "sklearn", saved(logistic), {"x": some}, logistic.predict(some))
case("a name of its own", "sklearn", saved(logistic, "iris.joblib"), {"x": some}, logistic.predict(some))
case(
    "skops",
    "sklearn",
    lambda folder: skops.io.dump(logistic, folder / "model.skops"),
    {"x": some},
    logistic.predict(some),
)
case(
    "pickle", "sklearn", lambda folder: (folder / "model.pkl").write_bytes(pickle.dumps(logistic)), {"x": some},
    logistic.predict(some),
)  # fmt: skip

named = LogisticRegression(max_iter=1000).fit(rows, names[classes])
case("classes with names", "sklearn", saved(named), {"x": some}, named.predict(some))

linear = LinearRegression().fit(rows, rows @ [[1.0, 2.0], [0.0, 1.0], [3.0, 0.0], [0.5, 0.25]])
case("several targets", "sklearn", saved(linear), {"x": some}, linear.predict(some))

text = make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good", "very good", "bad"], [1, 1, 0])
case("text", "sklearn", saved(text), {"x": tensors.read_tensor("x", "BYTES", [2, 1], ["good", "bad"])}, [1, 0])

frame = pd.DataFrame({"city": ["A", "B", "A", "B"], "size": [1.0, 2.0, 3.0, 4.0]})
columns = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough"), LinearRegression()
).fit(frame, [1.0, 5.0, 3.0, 7.0])
case(
    "columns by name", "sklearn", saved(columns), instances.read_instances({"instances": [["B", 4.0], ["A", 1.5]]}),
    columns.predict(pd.DataFrame({"city": ["B", "A"], "size": [4.0, 1.5]})),
)  # fmt: skip
case(
    "a tensor a column", "sklearn", saved(columns),
    instances.read_instances({"instances": [{"size": 4.0, "city": "B"}, {"size": 1.5, "city": "A"}]}),
    columns.predict(pd.DataFrame({"city": ["B", "A"], "size": [4.0, 1.5]})),
)  # fmt: skip

code = scratch / "code"
code.mkdir()
(code / "own_steps.py").write_text("class Always:\n    def predict(self, rows):\n        return [7] * len(rows)\n")
sys.path.insert(0, str(code))
always = importlib.import_module("own_steps").Always()
sys.path.remove(str(code))
blob = pickle.dumps(always)
del sys.modules["own_steps"]
case(
    "a class of the repository", "sklearn", lambda folder: (folder / "model.pkl").write_bytes(blob), {"x": some},
    [7] * len(some), code,
)  # fmt: skip

boosted = xgboost.XGBClassifier(n_estimators=5).fit(rows, classes)
case("xgboost", "xgboost", lambda folder: boosted.save_model(folder / "model.json"), {"x": some}, boosted.predict(some))
case("xgboost in joblib", "xgboost", saved(boosted), {"x": some}, boosted.predict(some))
bare = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(rows, classes), num_boost_round=3)
case(
    "xgboost booster", "xgboost", lambda folder: bare.save_model(folder / "model.ubj"), {"x": some},
    bare.predict(xgboost.DMatrix(some)),
)  # fmt: skip

light = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(rows, classes)
case("lightgbm in joblib", "lightgbm", saved(light), {"x": some}, light.predict(some))
case(
    "lightgbm booster", "lightgbm", lambda folder: light.booster_.save_model(folder / "model.txt"), {"x": some},
    light.booster_.predict(some),
)  # fmt: skip

exported = skl2onnx.to_onnx(logistic, rows[:1].astype(np.float32))
case(
    "onnx", "onnx", lambda folder: (folder / "model.onnx").write_bytes(exported.SerializeToString()), {"x": some},
    logistic.predict(some),
)  # fmt: skip

for name, runtime, save in (
    ("nothing", "sklearn", lambda folder: (folder / "model.h5").write_text("")),
    ("not a model", "sklearn", saved({"a": 1})),
    ("no predict.py", "python", saved(1)),
):
    try:
        case(name, runtime, save, {"x": some}, [], code)
    except loading.NotLoaded as error:
        told[name] = str(error)

json.dump(told, sys.stdout)
