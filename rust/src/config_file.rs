//! Reads and checks `config.json`.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::architecture::{Architecture, CellKind, Dtype, POOLINGS};
use crate::config::Config;
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
const COLDEST: f64 = 0.05; // what a temperature may be
const HOTTEST: f64 = 20.0;
const WIDEST_FILTER: u64 = 64; // tokens

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
            let dtypes = [
                ("float32", Dtype::Float32),
                ("float16", Dtype::Float16),
                ("int8", Dtype::Int8),
            ];
            choice(&values, "dtype", &dtypes, " or ")?
        } else {
            Dtype::Float32
        },
        temperature: temperature(&values)?,
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

/// 1 where the bundle does not say it.
fn temperature(values: &Map<String, Value>) -> Result<f32, String> {
    let confidence = match values.get("confidence") {
        None | Some(Value::Null) => return Ok(1.0),
        Some(Value::Object(table)) => table,
        Some(_) => return Err(unexpected(values, "confidence", "a table")),
    };
    match confidence.get("temperature").and_then(Value::as_f64) {
        Some(number) if (COLDEST..=HOTTEST).contains(&number) => Ok(number as f32),
        _ => {
            let shown = shown(confidence.get("temperature"), "None");
            let wanted = format!("a number from {COLDEST:.2} to {HOTTEST:.1}");
            Err(format!(
                "confidence is damaged: temperature is {shown}; expected {wanted}"
            ))
        }
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
