"""Coming back: own history, favourites, collections, comments and their moderation."""
