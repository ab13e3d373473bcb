"""What is done to a store as a whole: erasing, checking, backing up, another embedder."""
