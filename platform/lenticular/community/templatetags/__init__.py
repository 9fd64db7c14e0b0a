"""Template tags of what people share."""
