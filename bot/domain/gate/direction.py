"""Which way a metric gets better, so that a difference can be called better or worse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from bot.domain.gate.grammar import Gate

Direction = Literal["higher", "lower"]

_LOWER_WORDS = """
    loss logloss error err mae mse rmse rmsle msle mape smape wape mase medae perplexity ppl wer cer brier ece deviance
    fpr fnr fdr fid latency duration divergence hinge crossentropy nll eer hamming
"""
_HIGHER_WORDS = """
    accuracy acc auc auroc auprc ap map f1 f2 fbeta precision recall sensitivity specificity tpr tnr r2 iou miou dice
    jaccard kappa mcc ndcg mrr hit hitrate bleu rouge meteor chrf psnr ssim silhouette gini lift throughput variance
    likelihood
"""
_LOWER = frozenset(_LOWER_WORDS.split())
_HIGHER = frozenset(_HIGHER_WORDS.split())


def better_when(metric: str, gates: Sequence[Gate]) -> Direction | None:
    """By the gates' own comparisons, else by a well-known name; None where neither tells, or gates disagree."""
    ops = {gate.op for gate in gates if gate.metric == metric}
    wants_higher, wants_lower = bool(ops & {">", ">="}), bool(ops & {"<", "<="})
    if wants_higher != wants_lower:
        return "higher" if wants_higher else "lower"
    return None if wants_higher else _by_name(metric)


def _by_name(metric: str) -> Direction | None:
    words = [word for word in re.split(r"[^a-z0-9]+", metric.lower()) if word]
    if "neg" in words or "negative" in words[:1]:
        return "higher"  # scikit-learn's `neg_log_loss`: a loss turned round
    if _LOWER.intersection(words):
        return "lower"
    return "higher" if _HIGHER.intersection(words) else None
