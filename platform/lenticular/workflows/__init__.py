"""What is asked: workflows and their immutable, versioned decision trees."""
