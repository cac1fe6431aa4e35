//! The tensors that a bundle of a configuration holds, and the memory that they take.

use std::collections::BTreeMap;
use std::path::Path;

use crate::architecture::{Architecture, Pooling};
use crate::config::Config;
use crate::error::Error;

/// Bytes that the weights, or the table of all tokens, may take in memory.
const LARGEST_MEMORY: u128 = 8 << 30;

impl Config {
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
}

/// How many numbers a shape has.
fn count(shape: &[usize]) -> u128 {
    shape.iter().map(|&size| size as u128).product()
}
