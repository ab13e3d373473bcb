"""The write path: what is said → facts → decisions → one commit (docs/architecture.md). `write.py` has its steps in order."""
