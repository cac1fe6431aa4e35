"""Small recurrent sentiment classifiers on Korean reviews: trained by configuration, tiny to ship.

Importing this package imports nothing else: training lives in `nsmc.training` (torch), the use of a
trained bundle in `nsmc.runtime` (numpy, tokenizers and safetensors alone).
"""

__version__ = "0.1.0"
