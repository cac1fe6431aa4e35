"""Token ids as transformers makes them from a bundle's folder.

Standard input: {"bundle": folder, "texts": […]}; standard output: {"ids": [[…], …], "padded": the
same texts as one padded batch, "lengths": how many of its ids are no padding}.
"""

import json
import sys

from transformers import AutoTokenizer

request = json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(request["bundle"])
texts = request["texts"]
batch = tokenizer(texts, truncation=True, padding=True)
answer = {
    "ids": [tokenizer(text, truncation=True)["input_ids"] for text in texts],
    "padded": batch["input_ids"],
    "lengths": [sum(mask) for mask in batch["attention_mask"]],
}
json.dump(answer, sys.stdout)
