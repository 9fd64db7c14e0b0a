"""Drawn galaxies with known truth, and volunteers who classify them.

`galaxies` draws what a galaxy is, `render` its picture, `answers` what a crowd
would say of it, `volunteers` what one person says, and `survey` writes images, a
manifest and the truth to disk. `confusion` stands in for volunteers where a real
galaxy's published class is all that is known.
"""
