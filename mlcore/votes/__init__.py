"""Votes: tallies, fractions, relevance, posteriors and volunteer weights."""
