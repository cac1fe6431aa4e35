"""From a TSV corpus to batches: corpus, split, tokenizer, encoding, batching, datamodule."""
