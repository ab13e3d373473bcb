"""What metrics are called in a report, and which stand in one table."""

from __future__ import annotations

import re
from collections.abc import Iterable

_AT = re.compile(r"(recall|session_recall|hit|ndcg|precision)@(\d+)")
_SHORT = {"recall": "R", "session_recall": "session R", "hit": "hit", "ndcg": "nDCG", "precision": "precision"}
_NAMES = {
    "mrr": "MRR",
    "precision": "precision, all",
    "coverage": "in the context",
    "accuracy": "judged right",
    "nuggets": "nuggets",
    "locomo_f1": "F1 (LoCoMo)",
    "squad_f1": "F1 (SQuAD)",
    "bleu1": "BLEU-1",
    "exact_match": "exact match",
    "abstention_recall": "abstention recall",
    "abstention_precision": "abstention precision",
    "abstention_wrong": "abstains wrongly",
    "phrase_abstention_recall": "recall, by phrases",
    "phrase_abstention_precision": "precision, by phrases",
    "phrase_abstention_wrong": "wrongly, by phrases",
}
EVIDENCE = "Evidence found"
_FAMILIES: dict[str, re.Pattern[str]] = {
    EVIDENCE: re.compile(r"recall@\d+|coverage"),
    "Sessions found": re.compile(r"session_recall@\d+"),
    "Ranking": re.compile(r"(hit|ndcg)@\d+|mrr"),
    "Precision of what is returned": re.compile(r"precision(@\d+)?"),
    "Answers": re.compile(r"accuracy|nuggets|locomo_f1|squad_f1|bleu1|exact_match"),
    "Abstention": re.compile(r"(phrase_)?abstention_\w+"),
}
OTHER = "Other"


def label(metric: str) -> str:
    """ "R@10" of "recall@10"; an unknown metric is called what it is called."""
    if at := _AT.fullmatch(metric):
        return f"{_SHORT[at[1]]}@{at[2]}"
    return _NAMES.get(metric, metric)


def families(metrics: Iterable[str]) -> dict[str, list[str]]:
    """Table → its metrics. None is left out: what no table is for stands in a last one."""
    found: dict[str, list[str]] = {name: [] for name in (*_FAMILIES, OTHER)}
    for metric in metrics:
        family = next((name for name, pattern in _FAMILIES.items() if pattern.fullmatch(metric)), OTHER)
        found[family].append(metric)
    return {name: sorted(members, key=_order) for name, members in found.items() if members}


def _order(metric: str) -> tuple[int, int]:
    """Metrics with a k first, by name and k; the others in the order in which they are named here."""
    if at := _AT.fullmatch(metric):
        return list(_SHORT).index(at[1]), int(at[2])
    return 100 + (list(_NAMES).index(metric) if metric in _NAMES else 100), 0


def recall_ks(metrics: Iterable[str]) -> list[int]:
    """The k's of recall that were measured, ascending."""
    return sorted(int(metric.removeprefix("recall@")) for metric in metrics if metric.startswith("recall@"))


def headlines(metrics: Iterable[str]) -> list[str]:
    """What is told by category and compared, as far as it was measured: the judge's accuracy, F1, recall@10 (at the largest k
    where 10 was not measured), and how much of the evidence is in the context."""
    measured = list(metrics)
    ks = recall_ks(measured)
    recall = "recall@10" if 10 in ks else f"recall@{ks[-1]}" if ks else ""
    return [one for one in ("accuracy", "squad_f1", recall, "coverage") if one in measured]
