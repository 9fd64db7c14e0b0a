"""Experts look at flagged galaxies and give their verdict."""
