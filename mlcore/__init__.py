"""The machine's half of Lenticular: trees, votes, CNN, Gaussian process and rounds, without Django."""
