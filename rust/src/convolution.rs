//! Convolutions of several widths over the embeddings (Kim 2014, <https://arxiv.org/abs/1408.5882>).
//!
//! A filter of width w gives each token a number: the ReLU of a weighted sum over the embeddings of
//! the token and the w - 1 before it. Before the first token are zeros, behind a token nothing is
//! read. What a token contributes to the one `back` tokens later is the same wherever it stands, so
//! there is a projection for each `back`, of the filters that reach that far.

use crate::first_layer::FirstLayer;
use crate::kernel::{Level, Matrix};
use crate::packed::Packed;
use crate::tensors::Tensors;

/// The filters of a bundle. Legend: N tokens of all reviews, packed, W filters of all widths.
pub(crate) struct ConvolutionEncoder {
    first: FirstLayer,
    width: usize,
}

impl ConvolutionEncoder {
    pub(crate) fn new(
        widths: &[usize],
        num_filters: usize,
        tensors: Tensors,
        level: Level,
    ) -> Self {
        let filters: Vec<(usize, Vec<f32>)> = widths
            .iter()
            .map(|&width| (width, tensors.get(&format!("cnn.weight_{width}"))))
            .collect();
        let bias: Vec<f32> = widths
            .iter()
            .flat_map(|width| tensors.get(&format!("cnn.bias_{width}")))
            .collect();
        let widest = widths.last().copied().unwrap_or(0);
        let mut projections = Vec::new();
        for back in 0..widest {
            // The filters that reach that far are the last ones: they are the widest.
            let reaching: Vec<&(usize, Vec<f32>)> =
                filters.iter().filter(|(width, _)| *width > back).collect();
            let columns = reaching.len() * num_filters;
            let (width, weight) = reaching[0];
            let inputs = weight.len() / (num_filters * width);
            let matrix = Matrix::new(inputs, columns, |input, column| {
                let (width, weight) = reaching[column / num_filters];
                let filter = column % num_filters;
                weight[(filter * inputs + input) * width + width - 1 - back] // [F, E, width]
            });
            let bias = if back == 0 {
                bias.clone()
            } else {
                vec![0.0; columns]
            };
            projections.push((matrix, bias));
        }
        Self {
            first: FirstLayer::new(projections, tensors.into_embedding(), level),
            width: widths.len() * num_filters,
        }
    }

    /// The states of all tokens [N, W].
    pub(crate) fn states(&self, packed: &Packed) -> Vec<f32> {
        let inputs = self.first.inputs(packed);
        let mut states = vec![0.0; packed.ids.len() * self.width];
        for (step, &count) in packed.active.iter().enumerate() {
            for review in 0..count as usize {
                let state = &mut states[packed.at(review, step) * self.width..][..self.width];
                for (back, projected) in inputs.projected.iter().enumerate().take(step + 1) {
                    let row = inputs.rows[packed.at(review, step - back)] as usize;
                    let columns = self.first.columns(back);
                    let start = self.width - columns;
                    let contributed = &projected[row * columns..][..columns];
                    for (sum, number) in state[start..].iter_mut().zip(contributed) {
                        *sum += number;
                    }
                }
                for number in state {
                    *number = number.max(0.0);
                }
            }
        }
        states
    }
}
