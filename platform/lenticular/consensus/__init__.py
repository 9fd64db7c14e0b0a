"""What the votes say: tallies, volunteer weights, retirement; all derived from the log."""
