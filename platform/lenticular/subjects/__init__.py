"""What is looked at: surveys, subject sets, subjects and their images."""
