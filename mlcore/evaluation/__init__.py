"""How good a model is, against votes that it never saw: figures, comparison, report."""
