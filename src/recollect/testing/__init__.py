"""What recollect is tested with, for its users' tests too: an embedder, a language and a model's endpoint, all scripted."""

from .endpoint import ModelEndpoint, Reply, Request
from .scripted import HashEmbedder, ScriptedLanguage

__all__ = ["HashEmbedder", "ModelEndpoint", "Reply", "Request", "ScriptedLanguage"]
