"""What is known of one user, in memory: made of the ledger, never the other way round."""
