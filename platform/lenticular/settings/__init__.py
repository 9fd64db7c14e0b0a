"""Settings: dev, test and production, each built on base."""
