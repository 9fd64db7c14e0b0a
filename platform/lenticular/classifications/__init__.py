"""The append-only log of classifications: the truth that everything else follows from."""
