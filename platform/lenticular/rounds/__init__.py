"""The machine's turns: retraining rounds, models, predictions, live progress."""
