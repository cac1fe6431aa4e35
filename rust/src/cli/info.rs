//! What is in a bundle.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nsmc::{Architecture, Classifier, Config, harmless, with_commas};
use serde::Serialize;

use super::{Failure, bundle_folder, packed_program};

const SHOWN: usize = 10; // labels

/// Plain values.
#[derive(Serialize)]
pub(super) struct Contents {
    folder: String,
    network: BTreeMap<&'static str, serde_json::Value>,
    parameters: u64,
    weights: &'static str,
    vocabulary: usize,
    #[serde(rename = "longest review")]
    longest_review: usize,
    labels: Vec<String>,
    metrics: BTreeMap<String, f64>,
    signature: String,
    command: String,
    backend: &'static str,
    bytes: BTreeMap<String, u64>,
    sha256: BTreeMap<String, String>,
    #[serde(skip)]
    described: String,
}

impl Contents {
    /// Of the bundle that is named, else of the one in this program; it is read and checked.
    pub(super) fn read(bundle: Option<&Path>) -> Result<Self, Failure> {
        let (classifier, folder, bytes) = match bundle {
            Some(path) => {
                let folder = bundle_folder(path);
                let sizes = sizes(&folder);
                (
                    Classifier::load(&folder)?,
                    folder.display().to_string(),
                    sizes,
                )
            }
            None => {
                let program = packed_program()?;
                let sizes = program.sizes();
                let name = "in this program".to_owned();
                (program.classifier()?, name, sizes)
            }
        };
        let config = classifier.config();
        Ok(Self {
            folder,
            network: network(config),
            parameters: config.parameters() as u64,
            weights: config.dtype.name(),
            vocabulary: config.vocab_size,
            longest_review: config.max_length,
            labels: config.labels.clone(),
            metrics: config.metrics.iter().cloned().collect(),
            signature: config.signature.clone(),
            command: config.command.clone(),
            backend: classifier.backend(),
            bytes,
            sha256: config.sha256.clone(),
            described: config.describe(),
        })
    }

    /// For people, or as JSON.
    pub(super) fn shown(&self, json: bool) -> Result<String, Failure> {
        if json {
            return Ok(serde_json::to_string_pretty(self)? + "\n");
        }
        let megabytes = |name: &str| self.bytes.get(name).copied().unwrap_or(0) as f64 / 1e6;
        let (weights, tokenizer) = (megabytes("nsmc.safetensors"), megabytes("tokenizer.json"));
        let or = |text: &str, missing: &str| {
            if text.is_empty() {
                missing.to_owned()
            } else {
                text.to_owned()
            }
        };
        let mut rows = vec![
            ("bundle", self.folder.clone()),
            ("network", self.described.clone()),
            (
                "parameters",
                format!("{} ({})", with_commas(self.parameters), self.weights),
            ),
            (
                "size",
                format!("{weights:.2} MB weights, {tokenizer:.2} MB tokenizer"),
            ),
            (
                "vocabulary",
                format!(
                    "{} byte-level BPE tokens",
                    with_commas(self.vocabulary as u64)
                ),
            ),
            (
                "reads",
                format!("the first {} tokens of a review", self.longest_review),
            ),
            ("answers", self.listed()),
            ("trained by", or(&self.command, "not known")),
            ("signature", or(&self.signature, "none")),
            ("backend", self.backend.to_owned()),
        ];
        rows.extend(
            self.metrics
                .iter()
                .map(|(name, value)| (name.as_str(), format!("{value:.4}"))),
        );
        let lines = rows
            .iter()
            .map(|(name, value)| harmless(&format!("{name:<14}{value}")) + "\n");
        Ok(lines.collect())
    }

    fn listed(&self) -> String {
        let shown = self
            .labels
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        match self.labels.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => format!("{shown} and {more} more"),
            _ => shown,
        }
    }
}

fn network(config: &Config) -> BTreeMap<&'static str, serde_json::Value> {
    let mut values = BTreeMap::new();
    match &config.architecture {
        Architecture::Recurrent {
            cell,
            hidden_size,
            num_layers,
            bidirectional,
        } => {
            values.insert("architecture", cell.name().into());
            values.insert("hidden_size", (*hidden_size).into());
            values.insert("num_layers", (*num_layers).into());
            values.insert("bidirectional", (*bidirectional).into());
        }
        Architecture::Convolution {
            filter_widths,
            num_filters,
        } => {
            values.insert("architecture", "cnn".into());
            values.insert("filter_widths", filter_widths.clone().into());
            values.insert("num_filters", (*num_filters).into());
        }
        _ => {}
    }
    values.insert("embedding_dim", config.embedding_dim.into());
    values.insert("pooling", config.pooling.name().into());
    values
}

/// The sizes of the files in a folder.
fn sizes(folder: &Path) -> BTreeMap<String, u64> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let metadata = fs::metadata(entry.path()).ok()?;
            let name = entry.file_name().into_string().ok()?;
            metadata.is_file().then_some((name, metadata.len()))
        })
        .collect()
}
