"""Memory without a model: English, deterministic, no network. What it drops stays findable as turns."""

from .extractor import RulesExtractor
from .reconciler import RulesReconciler

__all__ = ["RulesExtractor", "RulesReconciler"]
