"""Sweeps: planned before anything is trained, run as far as they are missing, and reported."""
