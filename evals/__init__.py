"""The eval harness: how good a memory system is on dialogue data sets, at what price, and at which stage it goes wrong.

`datasets` reads conversations and questions, `systems` are what is measured, phases (ingest, search, answer, judge) write
records, `metrics` and `statistics` turn them into numbers, `report` shows those. `recollect eval` is its command line.
"""
