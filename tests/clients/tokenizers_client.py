"""Encodes texts with the tokenizers release that the bundle's contract names.

Standard input: {"tokenizer": path, "texts": […]}; standard output: the ids, [[…], …].
"""

import json
import sys

from tokenizers import Tokenizer

request = json.load(sys.stdin)
tokenizer = Tokenizer.from_file(request["tokenizer"])
encodings = tokenizer.encode_batch(request["texts"], add_special_tokens=False)
json.dump([encoding.ids for encoding in encodings], sys.stdout)
