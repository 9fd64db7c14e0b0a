"""The volunteer's use-cases: the pages, the JSON API, recording a classification."""
