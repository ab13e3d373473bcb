"""A conversation that we wrote ourselves, with ten questions: what `recollect demo` runs on."""
