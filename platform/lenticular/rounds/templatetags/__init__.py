"""Template tags of the rounds pages."""
