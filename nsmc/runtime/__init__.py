"""Use of a trained bundle with numpy, tokenizers and safetensors alone."""
