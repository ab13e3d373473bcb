"""The columns of the retrieval baselines, by their method: rankings alone, no reader and no judge.

R@k is evidence recall over the first k distinct turns in rank order, a memory standing for its source turns; hit@10 and nDCG@10
likewise; all are means over the questions that have an answer and evidence (of LoCoMo: categories 1 to 4, 829 of the five
development conversations). With R@10 by category they make a row that can be set beside those of others, as long as they rank
for the same questions: ask for at least as many results as the largest k needs, since several may stand for one turn.
"""

from __future__ import annotations

from .metrics import KS
from .scores import OVERALL, Key, Scores
from .statistics import Estimate

COLUMNS = {**{f"R@{k}": f"recall@{k}" for k in KS}, "hit@10": "hit@10", "nDCG@10": "ndcg@10"}


def row(scores: Scores, key: Key = "released") -> dict[str, Estimate]:
    """column → share, 0..1; without those that were not measured."""
    overall = scores.tables[key][OVERALL]
    return {column: overall[metric] for column, metric in COLUMNS.items() if metric in overall}


def by_category(scores: Scores, key: Key = "released", metric: str = "recall@10") -> dict[str, Estimate]:
    """category → share, 0..1; without those of which no question has evidence."""
    groups = scores.tables[key].items()
    return {group: table[metric] for group, table in groups if group != OVERALL and metric in table}
