"""A memory layer for LLM applications."""
