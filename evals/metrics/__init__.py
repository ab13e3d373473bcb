"""What is counted, one small module each. Pure functions of records; shares are 0..1."""
