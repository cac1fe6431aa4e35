//! The parts of a `tokenizer.json` that a bundle's tokenizer has, as types to read them into.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokenizers::models::bpe::Vocab;

#[derive(Deserialize)]
pub(crate) struct File<'a> {
    #[serde(borrow)]
    pub(crate) model: Model<'a>,
    #[serde(borrow)]
    pub(crate) pre_tokenizer: PreTokenizer<'a>,
    #[serde(borrow, default)]
    pub(crate) normalizer: Option<Step<'a>>,
    #[serde(default)]
    pub(crate) post_processor: Option<IgnoredAny>,
    #[serde(default)]
    pub(crate) added_tokens: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
pub(crate) struct PreTokenizer<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    pub(crate) use_regex: Option<bool>,
    pub(crate) add_prefix_space: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct Model<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    pub(crate) dropout: Option<f64>,
    pub(crate) byte_fallback: Option<bool>,
    pub(crate) ignore_merges: Option<bool>,
    #[serde(borrow)]
    pub(crate) continuing_subword_prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) end_of_word_suffix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) unk_token: Option<Cow<'a, str>>,
    pub(crate) vocab: Tokens,
    #[serde(borrow)]
    pub(crate) merges: Pairs<'a>,
}

/// The normalizers that the bundle's contract names.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Step<'a> {
    #[serde(rename = "NFC")]
    Nfc,
    #[serde(rename = "NFD")]
    Nfd,
    #[serde(rename = "NFKC")]
    Nfkc,
    #[serde(rename = "NFKD")]
    Nfkd,
    Lowercase,
    Strip {
        strip_left: bool,
        strip_right: bool,
    },
    Replace {
        #[serde(borrow)]
        pattern: Pattern<'a>,
        #[serde(borrow)]
        content: Cow<'a, str>,
    },
    Sequence {
        #[serde(borrow)]
        normalizers: Vec<Step<'a>>,
    },
}

/// A plain text to replace; the other kind, `Regex`, is refused.
#[derive(Deserialize)]
pub(crate) struct Pattern<'a> {
    #[serde(borrow, rename = "String")]
    pub(crate) string: Cow<'a, str>,
}

/// Tokens and their ids.
pub(crate) struct Tokens(pub(crate) Vocab);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Tokens;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a table of tokens and ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
                let mut vocab = Vocab::default();
                while let Some((token, id)) = map.next_entry::<String, u32>()? {
                    vocab.insert(token, id);
                }
                Ok(Tokens(vocab))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Merges, written as `"a b"` by tokenizers to 0.19 and as `["a", "b"]` by later ones.
pub(crate) struct Pairs<'a>(pub(crate) Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut merges = Vec::new();
                while let Some(Pair(merge)) = list.next_element()? {
                    merges.extend(merge);
                }
                Ok(merges)
            }
        }
        deserializer.deserialize_seq(List).map(Pairs)
    }
}

/// One merge; none for the line that names a version.
struct Pair<'a>(Option<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pair<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Pair<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a merge of two tokens")
            }

            fn visit_borrowed_str<E: serde::de::Error>(
                self,
                text: &'de str,
            ) -> Result<Pair<'de>, E> {
                split(text, Cow::Borrowed)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pair<'de>, E> {
                split(text, |part| Cow::Owned(part.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pair<'de>, A::Error> {
                let wrong = || A::Error::custom("a merge that is not of two tokens");
                let left: Token = list.next_element()?.ok_or_else(wrong)?;
                let right: Token = list.next_element()?.ok_or_else(wrong)?;
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(Pair(Some((left.0, right.0)))),
                    Some(_) => Err(wrong()),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
struct Token<'a>(#[serde(borrow)] Cow<'a, str>);

fn split<'a, 'b, E: serde::de::Error>(
    text: &'a str,
    own: impl Fn(&'a str) -> Cow<'b, str>,
) -> Result<Pair<'b>, E> {
    if text.starts_with("#version") {
        return Ok(Pair(None));
    }
    match text.split_once(' ') {
        Some((left, right)) if !right.contains(' ') => Ok(Pair(Some((own(left), own(right))))),
        _ => Err(E::custom("a merge that is not of two tokens")),
    }
}
