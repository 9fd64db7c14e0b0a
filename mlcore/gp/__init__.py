"""The Gaussian process: which galaxies to ask about next, and which votes to doubt."""
