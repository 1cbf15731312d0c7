"""The model server program: runs in the model's own environment, knows kserve and numpy, and nothing of this package.

Started by path (`__main__.py`), it becomes the package `mlops_model_server`, so that a repository's own modules,
whatever their names, are not hidden by ours.
"""
