"""Reads files of reviews in any format and encoding, row by row, for training and for answering."""
