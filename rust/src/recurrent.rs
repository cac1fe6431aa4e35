//! GRU and LSTM, of one layer or more, in one direction or both.
//!
//! The weights come in PyTorch's layout and are rearranged once, at load. A sigmoid
//! 1 / (1 + exp(-a)) enters as a division by 1 + exp(a), its weights being negated.
//!
//! Legend: N tokens of all reviews, packed, B reviews, D input width, H hidden size of a direction,
//! filled up to whole vectors, G gates x H, W width of a layer's states.

use std::borrow::Cow;

use crate::architecture::CellKind;
use crate::config::Config;
use crate::first_layer::FirstLayer;
use crate::kernel::{self, LANES, Level, Matrix, Run};
use crate::packed::Packed;
use crate::tensors::Tensors;

/// A layer in one direction.
struct Cell {
    kind: CellKind,
    hidden_size: usize,
    weight: Matrix,        // [H, G]
    hidden_bias: Vec<f32>, // [H] of a GRU
}

/// The layers of a bundle.
pub(crate) struct RecurrentEncoder {
    first: FirstLayer,
    layers: Vec<Vec<Cell>>,
    /// Of the layers above the first: [D, G] and [G] of each direction.
    projections: Vec<Vec<(Matrix, Vec<f32>)>>,
    level: Level,
}

impl RecurrentEncoder {
    pub(crate) fn new(
        config: &Config,
        kind: CellKind,
        hidden_size: usize,
        tensors: Tensors,
        level: Level,
    ) -> Self {
        let mut layers = Vec::new();
        let mut projections = Vec::new();
        for suffixes in config.suffixes() {
            let (cells, inputs): (Vec<_>, Vec<_>) = suffixes
                .iter()
                .map(|suffix| cell(kind, hidden_size, suffix, &tensors))
                .unzip();
            layers.push(cells);
            projections.push(inputs);
        }
        let first = projections.remove(0);
        Self {
            first: FirstLayer::new(first, tensors.into_embedding(), level),
            layers,
            projections,
            level,
        }
    }

    /// The states of all tokens [N, W], or the last ones of the reviews [B, W].
    pub(crate) fn states(&self, packed: &Packed, wants_all: bool) -> Vec<f32> {
        let mut orders = vec![packed.forward()];
        if self.layers[0].len() == 2 {
            orders.push(packed.backward());
        }
        let inputs = self.first.inputs(packed);
        let mut states = Vec::new();
        for (layer, cells) in self.layers.iter().enumerate() {
            let is_top = layer + 1 == self.layers.len();
            let targets = (!is_top || wants_all).then_some(&orders);
            let mut directions = Vec::new();
            for (index, cell) in cells.iter().enumerate() {
                let (projected, source): (Cow<[f32]>, Cow<[u32]>) = if layer == 0 {
                    let rows = match index {
                        0 => Cow::from(&*inputs.rows),
                        _ => orders[index]
                            .iter()
                            .map(|&at| inputs.rows[at as usize])
                            .collect(),
                    };
                    (Cow::from(&*inputs.projected[index]), rows)
                } else {
                    let (matrix, bias) = &self.projections[layer - 1][index];
                    let mut projected = vec![0.0; packed.ids.len() * matrix.columns()];
                    kernel::project(self.level, &states, matrix, bias, &mut projected);
                    (Cow::from(projected), Cow::from(&*orders[index]))
                };
                let target = targets.map(|orders| orders[index].as_slice());
                directions.push(cell.run(self.level, &projected, &source, packed, target));
            }
            states = side_by_side(directions, cells[0].hidden_size, cells[0].padded());
        }
        states
    }
}

impl Cell {
    /// H.
    fn padded(&self) -> usize {
        self.hidden_size.next_multiple_of(LANES)
    }

    /// The states after the last tokens [B, H], or, given where they go, after all tokens [N, H].
    fn run(
        &self,
        level: Level,
        inputs: &[f32],
        source: &[u32],
        packed: &Packed,
        target: Option<&[u32]>,
    ) -> Vec<f32> {
        let size = packed.lengths.len() * self.padded();
        let mut state = vec![0.0; size];
        let mut memory = vec![0.0; if self.kind == CellKind::Lstm { size } else { 0 }];
        let mut outputs = vec![0.0; target.map_or(0, |_| source.len() * self.padded())];
        kernel::run(
            level,
            Run {
                inputs,
                source,
                active: &packed.active,
                weight: &self.weight,
                bias: &self.hidden_bias,
                state: &mut state,
                memory: &mut memory,
                outputs: &mut outputs,
                target: target.unwrap_or_default(),
            },
        );
        if target.is_some() { outputs } else { state }
    }
}

/// The states of both directions in one row, without what fills up the vectors.
fn side_by_side(mut directions: Vec<Vec<f32>>, hidden_size: usize, padded: usize) -> Vec<f32> {
    if directions.len() == 1 && hidden_size == padded {
        return directions.remove(0);
    }
    let rows = directions[0].len() / padded;
    let mut joined = Vec::with_capacity(rows * directions.len() * hidden_size);
    for row in 0..rows {
        for states in &directions {
            joined.extend_from_slice(&states[row * padded..][..hidden_size]);
        }
    }
    joined
}

/// A layer's direction: its recurrence, and the projection [D, G] and [G] of what it reads.
fn cell(
    kind: CellKind,
    hidden_size: usize,
    suffix: &str,
    tensors: &Tensors,
) -> (Cell, (Matrix, Vec<f32>)) {
    let tensor = |name: &str| tensors.get(&format!("{}.{name}{suffix}", kind.name()));
    // Our order of PyTorch's gates r, z, n and i, f, g, o: the last is a tanh, the others sigmoids.
    let gates: &[usize] = match kind {
        CellKind::Gru => &[0, 1, 2],
        CellKind::Lstm => &[0, 1, 3, 2],
    };
    let padded = hidden_size.next_multiple_of(LANES);
    // Where a column of ours is in PyTorch's layout, and its sign; none where it fills up.
    let place = |column: usize| {
        let (gate, unit) = (column / padded, column % padded);
        let sign = if gate + 1 < gates.len() { -1.0 } else { 1.0 };
        (unit < hidden_size).then(|| (gates[gate] * hidden_size + unit, sign))
    };
    let matrix = |weight: &[f32], depth: usize, inputs: usize| {
        Matrix::new(depth, gates.len() * padded, |k, column| {
            match place(column) {
                Some((row, sign)) if k < inputs => sign * weight[row * inputs + k],
                _ => 0.0,
            }
        })
    };
    let vector = |bias: &[f32]| -> Vec<f32> {
        (0..gates.len() * padded)
            .map(|column| place(column).map_or(0.0, |(row, sign)| sign * bias[row]))
            .collect()
    };
    let (weight_ih, weight_hh) = (tensor("weight_ih"), tensor("weight_hh"));
    let inputs = weight_ih.len() / (gates.len() * hidden_size);
    let (mut bias, mut hidden_bias) = (vector(&tensor("bias_ih")), vector(&tensor("bias_hh")));
    let of_last_gate = hidden_bias.split_off((gates.len() - 1) * padded);
    for (sum, other) in bias.iter_mut().zip(&hidden_bias) {
        *sum += other;
    }
    let hidden_bias = match kind {
        CellKind::Gru => of_last_gate, // r multiplies it
        CellKind::Lstm => {
            let start = hidden_bias.len();
            for (sum, other) in bias[start..].iter_mut().zip(&of_last_gate) {
                *sum += other;
            }
            Vec::new()
        }
    };
    let cell = Cell {
        kind,
        hidden_size,
        weight: matrix(&weight_hh, padded, hidden_size),
        hidden_bias,
    };
    (cell, (matrix(&weight_ih, inputs, inputs), bias))
}
