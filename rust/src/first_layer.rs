//! What each token contributes to an encoder's first layer: the embedding times its weights.
//!
//! That is the same wherever a token stands. A program that asks about a review or two would wait
//! longer for a table of all tokens than for its answer, so that is made when many were asked for.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernel::{Level, Matrix, project};
use crate::packed::Packed;
use crate::tensors::Embedding;

const WORTH_A_TABLE: usize = 2_000; // tokens
const LARGEST_TABLE: usize = 256 << 20; // bytes; beyond that, tokens are projected as they come

/// Projections of the embeddings, each a matrix [E, G] and a bias [G].
pub(crate) struct FirstLayer {
    projections: Vec<(Matrix, Vec<f32>)>,
    embedding: Embedding,
    level: Level,
    seen: AtomicUsize,
    table: OnceLock<Vec<Vec<f32>>>,
}

/// For each projection, rows of projected tokens, and which of them a packed token has.
pub(crate) struct Inputs<'a> {
    pub(crate) projected: Vec<Cow<'a, [f32]>>,
    pub(crate) rows: Cow<'a, [u32]>,
}

impl FirstLayer {
    pub(crate) fn new(
        projections: Vec<(Matrix, Vec<f32>)>,
        embedding: Embedding,
        level: Level,
    ) -> Self {
        Self {
            projections,
            embedding,
            level,
            seen: AtomicUsize::new(0),
            table: OnceLock::new(),
        }
    }

    /// How many numbers a projection has.
    pub(crate) fn columns(&self, projection: usize) -> usize {
        self.projections[projection].1.len()
    }

    /// The projections of these tokens.
    pub(crate) fn inputs<'a>(&'a self, packed: &'a Packed) -> Inputs<'a> {
        match self.table(packed.ids.len()) {
            Some(table) => Inputs {
                projected: table
                    .iter()
                    .map(|rows| Cow::from(rows.as_slice()))
                    .collect(),
                rows: Cow::from(packed.ids.as_slice()),
            },
            None => Inputs {
                projected: self
                    .project(&packed.ids)
                    .into_iter()
                    .map(Cow::from)
                    .collect(),
                rows: Cow::from(packed.forward()),
            },
        }
    }

    fn table(&self, tokens: usize) -> Option<&Vec<Vec<f32>>> {
        if let Some(table) = self.table.get() {
            return Some(table);
        }
        let numbers: usize = self.projections.iter().map(|(_, bias)| bias.len()).sum();
        let is_enough = self.seen.fetch_add(tokens, Ordering::Relaxed) + tokens > WORTH_A_TABLE;
        let fits = 4 * self.embedding.vocab_size() * numbers <= LARGEST_TABLE;
        if !is_enough || !fits {
            return None;
        }
        Some(self.table.get_or_init(|| {
            let all: Vec<u32> = (0..self.embedding.vocab_size() as u32).collect();
            self.project(&all)
        }))
    }

    fn project(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        const AT_ONCE: usize = 1 << 10; // tokens whose embeddings are in memory together
        let mut all: Vec<Vec<f32>> = self
            .projections
            .iter()
            .map(|(_, bias)| Vec::with_capacity(ids.len() * bias.len()))
            .collect();
        let mut embedded = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            embedded.clear();
            for &id in some {
                self.embedding.append(id, &mut embedded);
            }
            for ((matrix, bias), rows) in self.projections.iter().zip(&mut all) {
                let start = rows.len();
                rows.resize(start + some.len() * bias.len(), 0.0);
                project(self.level, &embedded, matrix, bias, &mut rows[start..]);
            }
        }
        all
    }
}
