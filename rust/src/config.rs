//! `config.json`: how to compute, what the answers mean, and where the bundle comes from.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::text::{is_printable, with_commas};

pub(crate) const CONFIG_FILE: &str = "config.json";
const FORMAT: &str = "nsmc-bundle";
const FORMAT_VERSION: u64 = 1;

const MOST: u64 = (1 << 31) - 1; // tokens of a vocabulary, and dimensions
const MOST_TOKENS: u64 = 65_536; // that `max_length` may be
const MOST_LABELS: usize = 32_767;
const LONGEST_LABEL: usize = 1_000; // characters
const MOST_HIDDEN: u64 = 65_536;
const MOST_LAYERS: u64 = 64;
const WIDEST_FILTER: u64 = 64; // tokens

/// Bytes that the weights, or the table of all tokens, may take in memory.
const LARGEST_MEMORY: u128 = 8 << 30;

/// What an encoder is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// A GRU or an LSTM.
    Recurrent {
        /// Which of the two.
        cell: CellKind,
        /// Of one direction.
        hidden_size: usize,
        /// From 1 to 64.
        num_layers: usize,
        /// Whether each layer reads both directions.
        bidirectional: bool,
    },
    /// Convolutions over the embeddings.
    Convolution {
        /// In tokens, ascending.
        filter_widths: Vec<usize>,
        /// Of each width.
        num_filters: usize,
    },
}

/// The two kinds of recurrent cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Gated recurrent unit: gates r, z, n.
    Gru,
    /// Long short-term memory: gates i, f, g, o.
    Lstm,
}

impl CellKind {
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Its name in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gru => "gru",
            Self::Lstm => "lstm",
        }
    }
}

/// How the states of a review become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The state after the last token.
    Last,
    /// The mean of all states.
    Mean,
    /// The greatest of each number.
    Max,
    /// The maximum and the mean side by side.
    MaxMean,
    /// A mean weighted by a softmax.
    Attention,
}

const POOLINGS: [(&str, Pooling); 5] = [
    ("last", Pooling::Last),
    ("mean", Pooling::Mean),
    ("max", Pooling::Max),
    ("max_mean", Pooling::MaxMean),
    ("attention", Pooling::Attention),
];

impl Pooling {
    /// Its name in `config.json`.
    pub fn name(self) -> &'static str {
        POOLINGS
            .iter()
            .find(|entry| entry.1 == self)
            .map_or("", |e| e.0)
    }
}

/// The type of the weights in the file; all is computed in float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Four bytes.
    Float32,
    /// Two bytes.
    Float16,
}

impl Dtype {
    /// Its name in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
        }
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 => 2,
        }
    }
}

/// A bundle's checked configuration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// What the encoder is made of.
    pub architecture: Architecture,
    /// Tokens.
    pub vocab_size: usize,
    /// Numbers of an embedding.
    pub embedding_dim: usize,
    /// How states become one vector.
    pub pooling: Pooling,
    /// Tokens; what follows them in a longer review is not read.
    pub max_length: usize,
    /// Two or more; none in a pretrained encoder, which classifies nothing yet.
    pub labels: Vec<String>,
    /// Of the weights in the file.
    pub dtype: Dtype,
    /// Of the run that trained it, by name.
    pub metrics: Vec<(String, f64)>,
    /// Of the run that trained it; may be empty.
    pub signature: String,
    /// That trained it; may be empty.
    pub command: String,
    /// SHA-256 of the other files, hexadecimal.
    pub sha256: BTreeMap<String, String>,
}

impl Config {
    /// Reads and checks `config.json`, which messages call `path`.
    pub(crate) fn read(path: &Path, content: &[u8]) -> Result<Self, Error> {
        let refuse = |cause: String| Error::Config {
            path: path.to_owned(),
            cause,
        };
        let text = std::str::from_utf8(content).map_err(|_| refuse("not UTF-8".into()))?;
        let value =
            serde_json::from_str(text).map_err(|_| refuse("not JSON, or damaged".into()))?;
        read(value).map_err(refuse)
    }

    /// How many numbers the state of a token has.
    pub(crate) fn width(&self) -> usize {
        match &self.architecture {
            Architecture::Recurrent {
                hidden_size,
                bidirectional,
                ..
            } => hidden_size * (1 + usize::from(*bidirectional)),
            Architecture::Convolution {
                filter_widths,
                num_filters,
            } => num_filters * filter_widths.len(),
        }
    }

    /// How many numbers the first layer keeps for a token.
    pub(crate) fn table_width(&self) -> usize {
        match &self.architecture {
            Architecture::Recurrent { cell, .. } => cell.gates() * self.width(),
            Architecture::Convolution {
                filter_widths,
                num_filters,
            } => num_filters * filter_widths.iter().sum::<usize>(),
        }
    }

    /// How many numbers are classified.
    pub(crate) fn pooled_width(&self) -> usize {
        self.width() * (1 + usize::from(self.pooling == Pooling::MaxMean))
    }

    /// Name and shape of each tensor that a bundle of this configuration holds.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let mut shapes = self.encoder_shapes();
        shapes.insert(
            "embedding.weight".into(),
            vec![self.vocab_size, self.embedding_dim],
        );
        if self.labels.is_empty() {
            return shapes;
        }
        if self.pooling == Pooling::Attention {
            shapes.insert("attention.weight".into(), vec![1, self.width()]);
        }
        let labels = self.labels.len();
        shapes.insert("ln1.weight".into(), vec![labels, self.pooled_width()]);
        shapes.insert("ln1.bias".into(), vec![labels]);
        shapes
    }

    fn encoder_shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let mut shapes = BTreeMap::new();
        match &self.architecture {
            Architecture::Recurrent {
                cell, hidden_size, ..
            } => {
                let (name, gates) = (cell.name(), cell.gates() * hidden_size);
                for (layer, suffixes) in self.suffixes().iter().enumerate() {
                    let inputs = if layer == 0 {
                        self.embedding_dim
                    } else {
                        self.width()
                    };
                    for suffix in suffixes {
                        for (weight, shape) in [
                            ("weight_ih", vec![gates, inputs]),
                            ("weight_hh", vec![gates, *hidden_size]),
                            ("bias_ih", vec![gates]),
                            ("bias_hh", vec![gates]),
                        ] {
                            shapes.insert(format!("{name}.{weight}{suffix}"), shape);
                        }
                    }
                }
            }
            Architecture::Convolution {
                filter_widths,
                num_filters,
            } => {
                for width in filter_widths {
                    let shape = vec![*num_filters, self.embedding_dim, *width];
                    shapes.insert(format!("cnn.weight_{width}"), shape);
                    shapes.insert(format!("cnn.bias_{width}"), vec![*num_filters]);
                }
            }
        }
        shapes
    }

    /// PyTorch's suffixes of the parameters by layer: `["_l0"]`, or `["_l0", "_l0_reverse"]`.
    pub(crate) fn suffixes(&self) -> Vec<Vec<String>> {
        let Architecture::Recurrent {
            num_layers,
            bidirectional,
            ..
        } = &self.architecture
        else {
            return Vec::new();
        };
        let ends: &[&str] = if *bidirectional {
            &["", "_reverse"]
        } else {
            &[""]
        };
        (0..*num_layers)
            .map(|layer| ends.iter().map(|end| format!("_l{layer}{end}")).collect())
            .collect()
    }

    /// How many numbers the weights are.
    pub fn parameters(&self) -> u128 {
        self.shapes().values().map(|shape| count(shape)).sum()
    }

    /// Refuses what would take too much memory to use; nothing is allocated yet.
    pub(crate) fn check_memory(&self, path: &Path) -> Result<(), Error> {
        let vocab = self.vocab_size as u128;
        let weights: u128 = self.encoder_shapes().values().map(|s| count(s)).sum();
        let numbers =
            (vocab * self.embedding_dim as u128 + weights).max(vocab * self.table_width() as u128);
        if 4 * numbers > LARGEST_MEMORY {
            return Err(Error::Config {
                path: path.to_owned(),
                cause: format!("would take {} GB of memory to use", (4 * numbers) >> 30),
            });
        }
        Ok(())
    }

    /// In words, such as "GRU 128, 1 layer(s), one direction, embedding 128, last pooling".
    pub fn describe(&self) -> String {
        let encoder = match &self.architecture {
            Architecture::Recurrent {
                cell,
                hidden_size,
                num_layers,
                bidirectional,
            } => {
                let directions = if *bidirectional {
                    "both directions"
                } else {
                    "one direction"
                };
                let name = cell.name().to_uppercase();
                format!("{name} {hidden_size}, {num_layers} layer(s), {directions}")
            }
            Architecture::Convolution {
                filter_widths,
                num_filters,
            } => {
                let widths: Vec<String> = filter_widths.iter().map(usize::to_string).collect();
                let listed = match widths.split_last() {
                    Some((last, others)) if !others.is_empty() => {
                        format!("{} and {last}", others.join(", "))
                    }
                    _ => widths.concat(),
                };
                format!("CNN, {num_filters} filters of each width {listed}")
            }
        };
        let (embedding, pooling) = (self.embedding_dim, self.pooling.name());
        format!("{encoder}, embedding {embedding}, {pooling} pooling")
    }
}

/// How many numbers a shape has.
pub(crate) fn count(shape: &[usize]) -> u128 {
    shape.iter().map(|&size| size as u128).product()
}

fn read(value: Value) -> Result<Config, String> {
    let values = match value {
        Value::Object(values) if values.get("format").and_then(Value::as_str) == Some(FORMAT) => {
            values
        }
        _ => {
            return Err(format!(
                "not the configuration of a bundle (no \"format\": \"{FORMAT}\")"
            ));
        }
    };
    let version = values.get("format_version");
    if version.and_then(Value::as_u64) != Some(FORMAT_VERSION) {
        let shown = shown(version, "None");
        return Err(format!(
            "format_version {shown}; this program reads {FORMAT_VERSION}"
        ));
    }
    let architecture = architecture(&values)?;
    let vocab_size = whole(&values, "vocab_size", MOST)?;
    let embedding_dim = whole(&values, "embedding_dim", MOST)?;
    let max_length = whole(&values, "max_length", MOST_TOKENS)?;
    if values.get("pad_id").and_then(Value::as_u64) != Some(0) {
        return Err(unexpected(&values, "pad_id", "0"));
    }
    Ok(Config {
        architecture,
        vocab_size,
        embedding_dim,
        pooling: choice(&values, "pooling", &POOLINGS, ", ")?,
        max_length,
        labels: labels(&values)?,
        dtype: if values.contains_key("dtype") {
            let dtypes = [("float32", Dtype::Float32), ("float16", Dtype::Float16)];
            choice(&values, "dtype", &dtypes, " or ")?
        } else {
            Dtype::Float32
        },
        metrics: metrics(&values)?,
        signature: text(&values, "signature")?,
        command: text(&values, "command")?,
        sha256: match values.get("sha256") {
            Some(Value::Object(table)) => table
                .iter()
                .filter_map(|(name, digest)| Some((name.clone(), digest.as_str()?.to_owned())))
                .collect(),
            _ => return Err(unexpected(&values, "sha256", "a table")),
        },
    })
}

fn architecture(values: &Map<String, Value>) -> Result<Architecture, String> {
    // The first bundles call it `cell`.
    let key = if values.contains_key("architecture") || !values.contains_key("cell") {
        "architecture"
    } else {
        "cell"
    };
    let cell = match values.get(key).and_then(Value::as_str) {
        Some("gru") => CellKind::Gru,
        Some("lstm") => CellKind::Lstm,
        Some("cnn") => {
            return Ok(Architecture::Convolution {
                filter_widths: filter_widths(values)?,
                num_filters: within(values, "num_filters", MOST_HIDDEN)?,
            });
        }
        _ => {
            let shown = shown(values.get(key), "missing");
            return Err(format!("architecture is {shown}; expected gru, lstm, cnn"));
        }
    };
    Ok(Architecture::Recurrent {
        cell,
        hidden_size: within(values, "hidden_size", MOST_HIDDEN)?,
        num_layers: within(values, "num_layers", MOST_LAYERS)?,
        bidirectional: values
            .get("bidirectional")
            .and_then(Value::as_bool)
            .ok_or_else(|| unexpected(values, "bidirectional", "true or false"))?,
    })
}

fn filter_widths(values: &Map<String, Value>) -> Result<Vec<usize>, String> {
    let widths = values.get("filter_widths").and_then(Value::as_array);
    let numbers: Option<Vec<u64>> =
        widths.and_then(|list| list.iter().map(Value::as_u64).collect());
    match numbers {
        Some(numbers)
            if !numbers.is_empty()
                && numbers.is_sorted_by(|a, b| a < b)
                && numbers.iter().all(|n| (1..=WIDEST_FILTER).contains(n)) =>
        {
            Ok(numbers.into_iter().map(|n| n as usize).collect())
        }
        _ => {
            let wanted = format!("a list of ascending whole numbers from 1 to {WIDEST_FILTER}");
            Err(unexpected(values, "filter_widths", &wanted))
        }
    }
}

fn labels(values: &Map<String, Value>) -> Result<Vec<String>, String> {
    let names: Option<Vec<String>> = values
        .get("labels")
        .and_then(Value::as_array)
        .and_then(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect());
    let is_readable = |name: &String| {
        !name.is_empty() && name.chars().count() <= LONGEST_LABEL && is_printable(name)
    };
    match names {
        Some(names)
            if names.is_empty()
                || ((2..=MOST_LABELS).contains(&names.len())
                    && names.iter().collect::<HashSet<_>>().len() == names.len()
                    && names.iter().all(is_readable)) =>
        {
            Ok(names)
        }
        _ => {
            let most = with_commas(MOST_LABELS as u64);
            let wanted = format!("two to {most} different names that can be printed");
            Err(unexpected(values, "labels", &wanted))
        }
    }
}

fn metrics(values: &Map<String, Value>) -> Result<Vec<(String, f64)>, String> {
    match values.get("metrics") {
        None => Ok(Vec::new()),
        Some(Value::Object(table)) if table.values().all(Value::is_number) => Ok(table
            .iter()
            .map(|(name, value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN)))
            .collect()),
        Some(_) => Err(unexpected(values, "metrics", "a table of numbers")),
    }
}

fn text(values: &Map<String, Value>, key: &str) -> Result<String, String> {
    match values.get(key) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(unexpected(values, key, "a text")),
    }
}

fn choice<T: Copy>(
    values: &Map<String, Value>,
    key: &str,
    choices: &[(&str, T)],
    between: &str,
) -> Result<T, String> {
    let named = values.get(key).and_then(Value::as_str);
    match choices.iter().find(|(name, _)| Some(*name) == named) {
        Some((_, choice)) => Ok(*choice),
        None => {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            Err(unexpected(values, key, &names.join(between)))
        }
    }
}

fn whole(values: &Map<String, Value>, key: &str, most: u64) -> Result<usize, String> {
    let wanted = format!("a positive integer up to {}", with_commas(most));
    number(values, key, most, &wanted)
}

fn within(values: &Map<String, Value>, key: &str, most: u64) -> Result<usize, String> {
    let wanted = format!("a whole number from 1 to {}", with_commas(most));
    number(values, key, most, &wanted)
}

fn number(
    values: &Map<String, Value>,
    key: &str,
    most: u64,
    wanted: &str,
) -> Result<usize, String> {
    match values.get(key).and_then(Value::as_u64) {
        Some(size) if (1..=most).contains(&size) => Ok(size as usize),
        _ => Err(unexpected(values, key, wanted)),
    }
}

fn unexpected(values: &Map<String, Value>, key: &str, wanted: &str) -> String {
    let shown = shown(values.get(key), "missing");
    format!("{key} is {shown}; expected {wanted}")
}

/// A value as messages show it: its first 40 characters, a text in quotes.
fn shown(value: Option<&Value>, missing: &str) -> String {
    match value {
        None => missing.to_owned(),
        Some(Value::String(text)) => format!("'{text}'").chars().take(40).collect(),
        Some(value) => value.to_string().chars().take(40).collect(),
    }
}
