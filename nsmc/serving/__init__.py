"""A bundle behind HTTP: needs the extra `serve`, and nothing of training."""
