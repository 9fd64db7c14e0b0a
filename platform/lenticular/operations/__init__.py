"""Running the whole: the embedded stack, the demonstration, replays on real galaxies."""
