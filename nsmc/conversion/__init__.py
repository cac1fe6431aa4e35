"""Bundles in other forms: half the size, or for programs that read ONNX; and on a model hub."""
