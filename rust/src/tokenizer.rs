//! `tokenizer.json`: checked, built without going through JSON again, and used.
//!
//! The crate `tokenizers` trusts what it is given: sizes that do not fit make it panic, and ids far
//! apart make it ask for gigabytes. So what it gets is checked here first.

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::{BpeConfig, Merges, PipelineBPE, Vocab};
use tokenizers::pipeline::{
    EncodeOptions, Override, PipelineModel, PipelinePostProcessor, PipelinePreTokenizer,
    PipelineToken, PipelineTokenizer,
};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::utils::byte_level::GPT2_REGEX_STR;
use tokenizers::vocab::bucket_added_vocabulary::AddedVocabulary;

use crate::error::Error;
use crate::normalizer::{Form, Normalizer};
use crate::tokenizer_file::{File, Step};

pub(crate) const TOKENIZER_FILE: &str = "tokenizer.json";

const MOST_NORMALIZERS: usize = 32;
const DEEPEST_SEQUENCE: usize = 4;
const LARGEST_GROWTH: f64 = 8.0; // of a text by all Replace normalizers together

/// What the crate has room for: bytes of a token, and merges among its 512 first symbols.
const LONGEST_TOKEN: usize = 65_535;
const FIRST_SYMBOLS: usize = 512;
const MOST_FIRST_MERGES: usize = 65_534;

/// Characters for each token that is wanted; few reviews have more.
const PER_TOKEN: usize = 8;

/// A byte-level BPE tokenizer.
pub(crate) struct Tokenizer {
    normalizers: Vec<Normalizer>,
    pipeline: PipelineTokenizer,
    options: EncodeOptions,
    /// Whether a text begins with a space, as its other words do.
    add_prefix_space: bool,
    /// Whether the ids of a text begin with those of its first words. Not with a Replace
    /// normalizer: what it replaces may lie on both sides of a cut.
    can_be_cut: bool,
}

impl Tokenizer {
    /// Reads and checks the content of a `tokenizer.json`, which messages call `path`.
    pub(crate) fn read(path: &Path, content: &[u8], vocab_size: usize) -> Result<Self, Error> {
        let refuse = |cause: String| Error::Tokenizer {
            path: path.to_owned(),
            cause,
        };
        let damaged = |details: String| {
            let line: Vec<&str> = details.split_whitespace().collect();
            let short: String = line.join(" ").chars().take(100).collect();
            refuse(format!("not a tokenizer, or damaged ({short})"))
        };
        let text = std::str::from_utf8(content).map_err(|e| damaged(e.to_string()))?;
        let file: File = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
        check(&file).map_err(damaged)?;
        let ids = &file.model.vocab.0;
        let largest = ids.values().copied().max().map_or(-1, i64::from);
        if ids.len() != vocab_size || largest >= vocab_size as i64 {
            return Err(refuse(format!(
                "{} tokens with ids up to {largest}; config.json calls for vocab_size {vocab_size}",
                ids.len()
            )));
        }
        check_vocabulary(ids, &file.model.merges.0).map_err(damaged)?;
        // The checks leave nothing that is known to make the crate panic.
        catch_unwind(AssertUnwindSafe(|| build(file)))
            .unwrap_or_else(|_| Err("the library cannot build it".into()))
            .map_err(damaged)
    }

    /// The first `max_length` ids of a text.
    ///
    /// Of a long text only the beginning is tokenized, and the ids are those of the whole: it is
    /// cut between a character that is no white space and white space. There a byte-level tokenizer
    /// ends a word, tokens never cross words, and no Unicode form joins a space to what is before it.
    pub(crate) fn token_ids(&self, text: &str, max_length: usize, ids: &mut Vec<u32>) {
        let first = ids.len();
        let mut limit = if self.can_be_cut {
            PER_TOKEN * max_length
        } else {
            usize::MAX
        };
        loop {
            let start = beginning(text, limit);
            self.encode(start, ids);
            if ids.len() - first >= max_length || start.len() == text.len() {
                ids.truncate(first + max_length);
                return;
            }
            ids.truncate(first);
            limit = 2 * start.chars().count();
        }
    }

    fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        let mut normalized = self
            .normalizers
            .iter()
            .fold(Cow::from(text), |text, step| step.apply(text));
        if self.add_prefix_space && !normalized.is_empty() && !normalized.starts_with(' ') {
            normalized.to_mut().insert(0, ' ');
        }
        let mut tokens: Vec<PipelineToken> = Vec::with_capacity(normalized.len() / 4 + 8);
        self.pipeline
            .encode_into(&normalized, &self.options, &mut tokens)
            .expect("a text of less than 4 GB is tokenized");
        ids.extend(tokens.iter().map(|token| token.id()));
    }
}

/// The text up to the first end of a word from `limit` characters on.
fn beginning(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let Some((from, _)) = text.char_indices().nth(limit) else {
        return text;
    };
    let mut before = text[..from]
        .chars()
        .next_back()
        .is_none_or(char::is_whitespace);
    for (index, char) in text[from..].char_indices() {
        if !before && matches!(char, ' ' | '\t' | '\n' | '\r' | '\u{3000}') {
            return &text[..from + index];
        }
        before = char.is_whitespace();
    }
    text
}

/// Refuses what the bundle's contract leaves out: it could answer differently.
fn check(file: &File) -> Result<(), String> {
    let model = &file.model;
    let is_set = |text: &Option<Cow<str>>| text.as_ref().is_some_and(|text| !text.is_empty());
    if model.kind != "BPE"
        || model.dropout.is_some_and(|share| share != 0.0)
        || model.byte_fallback == Some(true)
    {
        return Err("not a plain BPE model".into());
    }
    if is_set(&model.continuing_subword_prefix)
        || is_set(&model.end_of_word_suffix)
        || is_set(&model.unk_token)
        || file.post_processor.is_some()
    {
        return Err("has affixes, unknown tokens or a post-processor".into());
    }
    if model.vocab.0.get("<pad>") != Some(&0)
        || file.added_tokens.as_ref().is_some_and(|a| !a.is_empty())
    {
        return Err("<pad> is not id 0, or there are added tokens".into());
    }
    if file.pre_tokenizer.kind != "ByteLevel" || file.pre_tokenizer.use_regex == Some(false) {
        return Err("not byte-level words".into());
    }
    let mut normalizers = Vec::new();
    if let Some(normalizer) = &file.normalizer {
        flatten(normalizer, DEEPEST_SEQUENCE, &mut normalizers)?;
    }
    let growth: f64 = normalizers
        .iter()
        .map(|normalizer| growth(normalizer))
        .product();
    if growth > LARGEST_GROWTH {
        return Err(format!(
            "normalizers that make a text {growth:.0} times as long"
        ));
    }
    Ok(())
}

/// How many times as long a normalizer can make a text, Unicode's forms aside.
fn growth(step: &Step) -> f64 {
    match step {
        Step::Replace { pattern, content } => {
            (content.len() as f64 / pattern.string.len() as f64).max(1.0)
        }
        _ => 1.0,
    }
}

/// The normalizers of a Sequence, in order.
fn flatten<'a, 'b>(
    step: &'a Step<'b>,
    deepest: usize,
    flat: &mut Vec<&'a Step<'b>>,
) -> Result<(), String> {
    match step {
        Step::Sequence { normalizers } => {
            if deepest == 0 {
                return Err("normalizers nested too deeply".into());
            }
            for each in normalizers {
                flatten(each, deepest - 1, flat)?;
            }
        }
        Step::Replace { pattern, .. } if pattern.string.is_empty() => {
            return Err("a Replace normalizer without a plain text to replace".into());
        }
        _ => flat.push(step),
    }
    if flat.len() > MOST_NORMALIZERS {
        return Err(format!("more than {MOST_NORMALIZERS} normalizers"));
    }
    Ok(())
}

/// Refuses what the crate would panic at, or take for something else.
fn check_vocabulary(vocab: &Vocab, merges: &[(Cow<str>, Cow<str>)]) -> Result<(), String> {
    let mut are_taken = vec![false; vocab.len()];
    for (token, &id) in vocab {
        if std::mem::replace(&mut are_taken[id as usize], true) {
            return Err(format!("two tokens have id {id}"));
        }
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Err(format!("token {id} has {} bytes", token.len()));
        }
        if !token.chars().all(is_byte_level) {
            return Err(format!(
                "token {id} is not written in byte-level characters"
            ));
        }
    }
    let mut buffer = [0; 2];
    let missing = bytes_of_utf8()
        .filter(|char| !vocab.contains_key(&*char.encode_utf8(&mut buffer)))
        .count();
    if missing > 0 {
        return Err(format!(
            "{missing} bytes have no token, so that characters would be dropped"
        ));
    }
    // The crate itself refuses merges of what is no token.
    if merges.len() > MOST_FIRST_MERGES {
        check_first_merges(&ids_of(vocab, merges)?, vocab.len())?;
    }
    Ok(())
}

/// Of each merge the ids of its two tokens and of what they become.
fn ids_of(vocab: &Vocab, merges: &[(Cow<str>, Cow<str>)]) -> Result<Vec<[u32; 3]>, String> {
    let id = |token: &str| {
        let id = vocab.get(token).copied();
        id.ok_or_else(|| format!("a merge of {token:?}, which is no token"))
    };
    let joined = |(left, right): &(Cow<str>, Cow<str>)| format!("{left}{right}");
    merges
        .iter()
        .map(|merge| Ok([id(&merge.0)?, id(&merge.1)?, id(&joined(merge))?]))
        .collect()
}

/// The characters that those bytes are written as which UTF-8 has.
fn bytes_of_utf8() -> impl Iterator<Item = char> {
    let unused = |char| matches!(char, 'À' | 'Á' | 'õ'..='ÿ'); // they stand for themselves
    ('!'..='\u{143}').filter(move |&char| is_byte_level(char) && !unused(char))
}

/// Whether a character is one of the 256 that bytes are written as.
fn is_byte_level(char: char) -> bool {
    matches!(char, '!'..='~' | '¡'..='¬' | '®'..='ÿ' | '\u{100}'..='\u{143}')
}

/// The crate numbers symbols anew: those that no merge makes come first, then the products in order.
fn check_first_merges(merges: &[[u32; 3]], vocab_size: usize) -> Result<(), String> {
    let products = merges.iter().map(|merge| merge[2]);
    let mut is_product = vec![false; vocab_size];
    products
        .clone()
        .for_each(|id| is_product[id as usize] = true);
    let others = (0..vocab_size as u32).filter(|&id| !is_product[id as usize]);
    let mut first = HashSet::new();
    for id in others.chain(products) {
        if first.len() == FIRST_SYMBOLS {
            break;
        }
        first.insert(id);
    }
    let pairs = merges.iter().map(|[left, right, _]| [left, right]);
    let both: HashSet<_> = pairs
        .filter(|pair| pair.iter().all(|id| first.contains(id)))
        .collect();
    if both.len() > MOST_FIRST_MERGES {
        return Err(format!("{} merges of the same few symbols", both.len()));
    }
    Ok(())
}

fn build(file: File) -> Result<Tokenizer, String> {
    let add_prefix_space = file.pre_tokenizer.add_prefix_space == Some(true);
    let mut steps = Vec::new();
    if let Some(step) = &file.normalizer {
        flatten(step, DEEPEST_SEQUENCE, &mut steps)?;
    }
    let normalizers: Vec<Normalizer> = steps.into_iter().filter_map(normalizer).collect();
    let can_be_cut = !normalizers
        .iter()
        .any(|each| matches!(each, Normalizer::Replace { .. }));
    let pattern = SplitPattern::Regex(GPT2_REGEX_STR.into());
    let split = Split::native(pattern, SplitDelimiterBehavior::Isolated, false)
        .map_err(|error| error.to_string())?;
    let merges: Merges = file
        .model
        .merges
        .0
        .into_iter()
        .map(|(left, right)| (left.into_owned(), right.into_owned()))
        .collect();
    let config = BpeConfig {
        vocab: file.model.vocab.0,
        merges,
        byte_level: true,
        ignore_merges: file.model.ignore_merges == Some(true),
        ..BpeConfig::default()
    };
    let model = PipelineBPE::from_config(config).map_err(|error| error.to_string())?;
    let pipeline = PipelineTokenizer::from_parts(
        AddedVocabulary::new(),
        Vec::new(),
        PipelinePreTokenizer::Split(split),
        PipelineModel::BPE(model),
        PipelinePostProcessor::default(),
        None,
        Default::default(),
        None,
        None,
    );
    let options = EncodeOptions {
        add_special_tokens: false,
        encode_special_tokens: false,
        padding: Override::Off,
        truncation: Override::Off,
    };
    Ok(Tokenizer {
        normalizers,
        pipeline,
        options,
        add_prefix_space,
        can_be_cut,
    })
}

/// The step as it is done; none of a Sequence, which has no more than its steps.
fn normalizer(step: &Step) -> Option<Normalizer> {
    Some(match step {
        Step::Nfc => Normalizer::Form(Form::Nfc),
        Step::Nfd => Normalizer::Form(Form::Nfd),
        Step::Nfkc => Normalizer::Form(Form::Nfkc),
        Step::Nfkd => Normalizer::Form(Form::Nfkd),
        Step::Lowercase => Normalizer::Lowercase,
        Step::Strip {
            strip_left,
            strip_right,
        } => Normalizer::Strip {
            left: *strip_left,
            right: *strip_right,
        },
        Step::Replace { pattern, content } => Normalizer::Replace {
            before: pattern.string.to_string(),
            after: content.to_string(),
        },
        Step::Sequence { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::utils::byte_level::char_to_byte;

    #[test]
    fn characters_that_bytes_are_written_as_are_those_of_the_crate() {
        for char in '\0'..=char::MAX {
            assert_eq!(
                is_byte_level(char),
                char_to_byte(char).is_some(),
                "{char:?}"
            );
        }
    }
}
