// Token ids as transformers.js makes them from a bundle's folder: {bundle, texts} on standard input,
// [[…], …] on standard output.
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { AutoTokenizer, env } from "@huggingface/transformers";

const { bundle, texts } = JSON.parse(readFileSync(0, "utf8"));
env.allowRemoteModels = false;
env.localModelPath = dirname(bundle);
const tokenizer = await AutoTokenizer.from_pretrained(basename(bundle));
const encode = (text) => tokenizer(text, { truncation: true, return_tensor: false }).input_ids;
process.stdout.write(JSON.stringify(texts.map(encode)));
