"""Loaders of dialogue data sets. Each reads its files as they are published, and knows their traps."""
