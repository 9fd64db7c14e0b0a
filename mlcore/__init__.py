"""The machine's half: trees, votes, CNN, Gaussian process and rounds, without Django."""
