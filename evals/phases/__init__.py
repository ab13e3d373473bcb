"""The phases of a run: ingest → search → answer → judge. Each goes on where it stopped; what is done is not done again."""
