"""The commands of the rounds app."""
