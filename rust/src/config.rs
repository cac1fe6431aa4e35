//! What a bundle's `config.json` says: how to compute, what the answers mean, and where it comes from.

use std::collections::BTreeMap;

use crate::architecture::{Architecture, Dtype, Pooling};

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
    /// What logits are divided by before their softmax.
    pub temperature: f32,
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
