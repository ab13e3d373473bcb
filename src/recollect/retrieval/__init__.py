"""The read path: a query → hits, and a context of them. `retrieve.py` has its steps in order."""
