"""What is kept out, put aside, believed less, or fenced: pure reading of texts.

`secret_formats` → `redact`: secrets. `legible`, `signs` → `quarantine`: orders to later readers. `word_classes` → `claims`: what
is not for a user to say. `trust`: how far a fact is believed. `fence`: memories as data in a prompt.
"""
