"""What every app shares: errors, their HTTP form, checks of the settings."""
