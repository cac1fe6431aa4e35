//! What a network is made of, and how `config.json` calls that.

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

pub(crate) const POOLINGS: [(&str, Pooling); 5] = [
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
    /// One byte, and a scale for each row of a matrix.
    Int8,
}

impl Dtype {
    /// Its name in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Int8 => "int8",
        }
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 => 2,
            Self::Int8 => 1,
        }
    }
}
