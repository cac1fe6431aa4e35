"""Turns what a user typed into a checked configuration, and what goes wrong into one line."""
