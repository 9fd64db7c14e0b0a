"""Who takes part: users, their roles, and volunteers with or without an account."""
