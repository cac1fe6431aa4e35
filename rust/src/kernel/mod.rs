//! The arithmetic of a step, in vectors, for the kind of processor that the program runs on.
//!
//! The maths is written once, over sixteen numbers at a time. What these are, one register of
//! AVX-512, two of AVX2 or an array, is in `numbers`.
//!
//! Every sum is added up in the order of the inputs, whatever else is computed beside it: a review
//! gets the same bits alone and among others.
//!
//! Legend: N tokens of all reviews, T steps, B reviews, D input width, H hidden size, filled up to a
//! multiple of `LANES`, G gates x H.

mod numbers;

pub(crate) use numbers::LANES;
use numbers::{Lanes, Numbers};

const VECTORS: usize = 4; // of a row of a panel

/// Columns of a matrix that lie together in memory, so that all of it is read in a row.
const PANEL: usize = VECTORS * LANES;

/// Reviews that are computed together: with `VECTORS` each, their sums fill the registers of
/// AVX-512; of AVX2, with one. A review alone takes all of a panel's at once.
const BLOCK: usize = 6;

/// A row of a panel; aligned, so that no vector lies in two cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row([Lanes; VECTORS]);

/// A matrix [depth, columns] to multiply vectors by, in panels [columns / PANEL, depth, PANEL].
pub(crate) struct Matrix {
    rows: Vec<Row>,
    depth: usize,
    columns: usize,
}

impl Matrix {
    /// Of the elements that `at` gives for a row and a column.
    pub(crate) fn new(depth: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let panels = columns.div_ceil(PANEL);
        let mut rows = vec![Row([[0.0; LANES]; VECTORS]); panels * depth];
        for (index, row) in rows.iter_mut().enumerate() {
            let (panel, k) = (index / depth.max(1), index % depth.max(1));
            for (offset, value) in row.0.as_flattened_mut().iter_mut().enumerate() {
                if panel * PANEL + offset < columns {
                    *value = at(k, panel * PANEL + offset);
                }
            }
        }
        Self {
            rows,
            depth,
            columns,
        }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// How many numbers a product has: the columns, filled up.
    fn width(&self) -> usize {
        self.columns.next_multiple_of(PANEL)
    }
}

/// The layer of a direction, and what it reads and writes.
pub(crate) struct Run<'a> {
    /// Projected inputs [any, G], and which of them each token has [N].
    pub(crate) inputs: &'a [f32],
    pub(crate) source: &'a [u32],
    /// How many reviews have a token at each step [T]; those are the first ones.
    pub(crate) active: &'a [u32],
    /// [H, G].
    pub(crate) weight: &'a Matrix,
    /// [H] of a GRU: what r multiplies.
    pub(crate) bias: &'a [f32],
    /// Zeros [B, H]; after the run, the states after the last tokens.
    pub(crate) state: &'a mut [f32],
    /// Zeros [B, H] of an LSTM; empty for a GRU.
    pub(crate) memory: &'a mut [f32],
    /// States after all tokens [N, H], and where each token's is; empty where only the last count.
    pub(crate) outputs: &'a mut [f32],
    pub(crate) target: &'a [u32],
}

/// What a processor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// All that this processor can, the best one last.
    pub(crate) fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut levels = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                levels.push(Self::Avx512);
            }
        }
        levels
    }

    /// The best one.
    pub(crate) fn best() -> Self {
        *Self::available()
            .last()
            .expect("the plain path is always there")
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
        }
    }
}

/// Lets each review read its tokens.
pub(crate) fn run(level: Level, run: Run) {
    check(&run);
    match level {
        Level::Plain => steps::<numbers::Plain, 1>(run),
        // SAFETY: `Level::available` has asked the processor for these instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { steps_avx2(run) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { steps_avx512(run) },
    }
}

/// Inputs [N, D] times a matrix [D, G], and a bias [G], into `out` [N, G].
pub(crate) fn project(
    level: Level,
    inputs: &[f32],
    matrix: &Matrix,
    bias: &[f32],
    out: &mut [f32],
) {
    assert_eq!(inputs.len() * matrix.columns, out.len() * matrix.depth);
    match level {
        Level::Plain => rows::<numbers::Plain, 1>(inputs, matrix, bias, out),
        // SAFETY: `Level::available` has asked the processor for these instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { rows_avx2(inputs, matrix, bias, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { rows_avx512(inputs, matrix, bias, out) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn steps_avx2(run: Run) {
    steps::<numbers::Avx2, 1>(run);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn steps_avx512(run: Run) {
    steps::<numbers::Avx512, VECTORS>(run);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn rows_avx2(inputs: &[f32], matrix: &Matrix, bias: &[f32], out: &mut [f32]) {
    rows::<numbers::Avx2, 1>(inputs, matrix, bias, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn rows_avx512(inputs: &[f32], matrix: &Matrix, bias: &[f32], out: &mut [f32]) {
    rows::<numbers::Avx512, VECTORS>(inputs, matrix, bias, out);
}

/// Panics where the sizes do not fit each other, before a processor's own loops begin.
fn check(run: &Run) {
    let (hidden, gates) = (run.weight.depth, run.weight.columns);
    let reviews = run.state.len() / hidden.max(1);
    assert!(hidden > 0 && hidden.is_multiple_of(LANES));
    assert!(run.active.iter().all(|&count| count as usize <= reviews));
    assert_eq!(
        run.active
            .iter()
            .map(|&count| count as usize)
            .sum::<usize>(),
        run.source.len()
    );
    if run.memory.is_empty() {
        assert_eq!((gates, run.bias.len()), (3 * hidden, hidden));
    } else {
        assert_eq!((gates, run.memory.len()), (4 * hidden, run.state.len()));
    }
    assert!(run.outputs.is_empty() || run.target.len() == run.source.len());
}

#[inline(always)]
fn steps<V: Numbers, const C: usize>(run: Run) {
    let hidden = run.weight.depth;
    let width = run.weight.width();
    let mut product = vec![0.0; BLOCK * width];
    let mut token = 0;
    for (step, &count) in run.active.iter().enumerate() {
        let count = count as usize;
        let mut review = 0;
        while review < count {
            let block = if count - review >= BLOCK { BLOCK } else { 1 };
            let states = &mut run.state[review * hidden..][..block * hidden];
            if step == 0 {
                product[..block * width].fill(0.0); // all states are zeros still
            } else if block == BLOCK {
                let rows: [&[f32]; BLOCK] =
                    std::array::from_fn(|row| &states[row * hidden..][..hidden]);
                multiply::<V, BLOCK, C>(rows, run.weight, &mut product);
            } else {
                multiply::<V, 1, VECTORS>([states], run.weight, &mut product);
            }
            for row in 0..block {
                let at = token + review + row;
                let gates = 4 * hidden - if run.memory.is_empty() { hidden } else { 0 };
                let x = &run.inputs[run.source[at] as usize * gates..][..gates];
                let a = &product[row * width..][..gates];
                let h = &mut states[row * hidden..][..hidden];
                if run.memory.is_empty() {
                    gru_step::<V>(a, x, run.bias, h);
                } else {
                    let c = &mut run.memory[(review + row) * hidden..][..hidden];
                    lstm_step::<V>(a, x, c, h);
                }
                if !run.outputs.is_empty() {
                    let target = run.target[at] as usize * hidden;
                    run.outputs[target..][..hidden].copy_from_slice(h);
                }
            }
            review += block;
        }
        token += count;
    }
}

#[inline(always)]
fn rows<V: Numbers, const C: usize>(
    inputs: &[f32],
    matrix: &Matrix,
    bias: &[f32],
    out: &mut [f32],
) {
    let (depth, columns, width) = (matrix.depth, matrix.columns, matrix.width());
    let mut product = vec![0.0; BLOCK * width];
    let mut row = 0;
    let count = out.len() / columns;
    while row < count {
        let block = if count - row >= BLOCK { BLOCK } else { 1 };
        if block == BLOCK {
            let rows: [&[f32]; BLOCK] =
                std::array::from_fn(|index| &inputs[(row + index) * depth..][..depth]);
            multiply::<V, BLOCK, C>(rows, matrix, &mut product);
        } else {
            multiply::<V, 1, VECTORS>([&inputs[row * depth..][..depth]], matrix, &mut product);
        }
        for index in 0..block {
            let sums = &product[index * width..][..columns];
            let into = &mut out[(row + index) * columns..][..columns];
            for ((into, sum), bias) in into.iter_mut().zip(sums).zip(bias) {
                *into = sum + bias;
            }
        }
        row += block;
    }
}

/// Rows [R, depth] times a matrix into `out` [R, width], `C` vectors of each at a time.
#[inline(always)]
fn multiply<V: Numbers, const R: usize, const C: usize>(
    rows: [&[f32]; R],
    matrix: &Matrix,
    out: &mut [f32],
) {
    let width = matrix.width();
    for (panel, start) in matrix
        .rows
        .chunks_exact(matrix.depth.max(1))
        .zip((0..).step_by(PANEL))
    {
        for first in (0..VECTORS).step_by(C) {
            let sums: [[V; C]; R] = block(rows, panel, first);
            for (row, sums) in sums.iter().enumerate() {
                let at = row * width + start + first * LANES;
                let into = in_lanes_mut(&mut out[at..][..C * LANES]);
                for (sum, into) in sums.iter().zip(into) {
                    sum.store(into);
                }
            }
        }
    }
}

/// The sums of `R` rows and `C` vectors of a panel from the `first` on, kept in registers.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // all are unrolled
fn block<V: Numbers, const R: usize, const C: usize>(
    rows: [&[f32]; R],
    panel: &[Row],
    first: usize,
) -> [[V; C]; R] {
    assert!(first + C <= VECTORS && rows.iter().all(|row| row.len() == panel.len()));
    let mut sums = [[V::splat(0.0); C]; R];
    for (k, weights) in panel.iter().enumerate() {
        let weights: [V; C] = std::array::from_fn(|c| V::load(&weights.0[first + c]));
        for r in 0..R {
            let x = V::splat(rows[r][k]);
            for c in 0..C {
                sums[r][c] = x.mul_add(weights[c], sums[r][c]);
            }
        }
    }
    sums
}

/// Gates r, z, n of a = h W and x [3 H], r and z negated; bias [H] is that which r multiplies.
///
/// r = sigmoid(x_r + h W_r), z = sigmoid(x_z + h W_z), n = tanh(x_n + r (h W_n + b_n)),
/// h = n + z (h - n).
#[inline(always)]
fn gru_step<V: Numbers>(a: &[f32], x: &[f32], bias: &[f32], h: &mut [f32]) {
    let vectors = h.len() / LANES;
    let ([a, x, bias], h) = ([a, x, bias].map(in_lanes), in_lanes_mut(h));
    let (a_r, a_z, a_n) = thirds(a, vectors);
    let (x_r, x_z, x_n) = thirds(x, vectors);
    for (index, h) in h.iter_mut().enumerate() {
        let sum = |a: &[Lanes], x: &[Lanes]| V::load(&a[index]).add(V::load(&x[index]));
        let r = one_and_exponential(sum(a_r, x_r)); // 1 / sigmoid
        let z = one_and_exponential(sum(a_z, x_z));
        let n = V::load(&x_n[index]).add(sum(a_n, bias).div(r));
        let n = hyperbolic_tangent(n);
        n.add(V::load(h).sub(n).div(z)).store(h);
    }
}

/// Gates i, f, o, g of a = h W and x [4 H], the first three negated; c is the memory [H].
///
/// c = f c + i g, h = o tanh(c), where i, f, o are sigmoids and g is a tanh of x + h W.
#[inline(always)]
fn lstm_step<V: Numbers>(a: &[f32], x: &[f32], c: &mut [f32], h: &mut [f32]) {
    let vectors = h.len() / LANES;
    let ([a, x], c, h) = ([a, x].map(in_lanes), in_lanes_mut(c), in_lanes_mut(h));
    for (index, (c, h)) in c.iter_mut().zip(h).enumerate() {
        let gate = |number: usize| {
            let at = number * vectors + index;
            V::load(&a[at]).add(V::load(&x[at]))
        };
        let i = one_and_exponential(gate(0)); // 1 / sigmoid
        let f = one_and_exponential(gate(1));
        let o = one_and_exponential(gate(2));
        let memory = V::load(c).div(f).add(hyperbolic_tangent(gate(3)).div(i));
        memory.store(c);
        hyperbolic_tangent(memory).div(o).store(h);
    }
}

fn in_lanes(numbers: &[f32]) -> &[Lanes] {
    numbers.as_chunks().0
}

fn in_lanes_mut(numbers: &mut [f32]) -> &mut [Lanes] {
    numbers.as_chunks_mut().0
}

fn thirds(all: &[Lanes], length: usize) -> (&[Lanes], &[Lanes], &[Lanes]) {
    let (first, rest) = all.split_at(length);
    let (second, third) = rest.split_at(length);
    (first, second, third)
}

/// e^x within 2 units of the last place; x is held where float32 has normal numbers.
///
/// x = n ln 2 + r, so e^x = 2^n e^r, where |r| <= ln(2) / 2 and e^r is its Taylor series.
#[inline(always)]
fn exponential<V: Numbers>(x: V) -> V {
    let shift = V::splat(12_582_912.0); // 1.5 x 2^23, which leaves no bit for fractions
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(V::splat(std::f32::consts::LOG2_E), shift);
    let n = shifted.sub(shift);
    // ln 2 in two parts, for accuracy.
    let r = n.mul_add(V::splat(-0.693_359_4), x);
    let r = n.mul_add(V::splat(2.121_944_4e-4), r);
    let mut series = V::splat(1.0 / 5040.0);
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        series = series.mul_add(r, V::splat(coefficient));
    }
    series.mul(shifted.power())
}

#[inline(always)]
fn one_and_exponential<V: Numbers>(x: V) -> V {
    V::splat(1.0).add(exponential(x))
}

#[inline(always)]
fn hyperbolic_tangent<V: Numbers>(x: V) -> V {
    let one = V::splat(1.0);
    one.sub(V::splat(2.0).div(one_and_exponential(x.add(x))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: usize = 48;
    const TOKENS: usize = 9;

    /// Some numbers around zero, the same each time.
    fn some(count: usize, seed: usize) -> Vec<f32> {
        let number = |index: usize| ((index * 7_919 + seed * 104_729) % 1_009) as f32 / 1_009.0;
        (0..count).map(|index| number(index) - 0.5).collect()
    }

    /// The states of so many reviews of the same tokens, at each step and at the end.
    fn states(level: Level, gates: usize, reviews: usize) -> (Vec<f32>, Vec<f32>) {
        let columns = gates * HIDDEN;
        let weights = some(HIDDEN * columns, 1);
        let weight = Matrix::new(HIDDEN, columns, |k, column| weights[k * columns + column]);
        let count = TOKENS * reviews;
        let mut state = vec![0.0; reviews * HIDDEN];
        let mut outputs = vec![0.0; count * HIDDEN];
        let source: Vec<u32> = (0..count).map(|token| (token / reviews) as u32).collect();
        run(
            level,
            Run {
                inputs: &some(TOKENS * columns, 2),
                source: &source,
                active: &[reviews as u32; TOKENS],
                weight: &weight,
                bias: &some(if gates == 3 { HIDDEN } else { 0 }, 3),
                state: &mut state,
                memory: &mut vec![0.0; if gates == 4 { reviews * HIDDEN } else { 0 }],
                outputs: &mut outputs,
                target: &(0..count as u32).collect::<Vec<u32>>(),
            },
        );
        (state, outputs)
    }

    fn difference(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn every_kind_of_processor_computes_the_same() {
        for gates in [3, 4] {
            let (state, outputs) = states(Level::Plain, gates, 8);
            for level in Level::available() {
                let other = states(level, gates, 8);
                assert!(difference(&state, &other.0) < 1e-5, "{level:?}");
                assert!(difference(&outputs, &other.1) < 1e-5, "{level:?}");
            }
        }
    }

    #[test]
    fn a_review_gets_the_same_bits_alone_and_in_blocks() {
        for (level, gates) in Level::available()
            .into_iter()
            .flat_map(|l| [(l, 3), (l, 4)])
        {
            let alone = states(level, gates, 1).0;
            for state in states(level, gates, 2 * BLOCK + 1).0.chunks(HIDDEN) {
                assert!(state == alone, "{level:?}, {gates} gates");
            }
        }
    }

    #[test]
    #[allow(clippy::needless_range_loop)]
    fn a_step_is_what_the_equations_say() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (a, x, bias) = (some(64, 4), some(64, 5), some(16, 6));
        let (h, c) = (some(16, 7), some(16, 8));
        for lane in 0..16 {
            let sum = |gate: usize| f64::from(a[16 * gate + lane]) + f64::from(x[16 * gate + lane]);
            let r = sigmoid(-sum(0));
            let z = sigmoid(-sum(1));
            let n = f64::from(x[32 + lane]) + r * f64::from(a[32 + lane] + bias[lane]);
            let gru = (1.0 - z) * n.tanh() + z * f64::from(h[lane]);
            let memory = sigmoid(-sum(1)) * f64::from(c[lane]) + sigmoid(-sum(0)) * sum(3).tanh();
            let lstm = sigmoid(-sum(2)) * memory.tanh();
            let mut ours = h.clone();
            gru_step::<numbers::Plain>(&a[..48], &x[..48], &bias, &mut ours);
            assert!((f64::from(ours[lane]) - gru).abs() < 1e-6);
            let (mut ours, mut ours_c) = (h.clone(), c.clone());
            lstm_step::<numbers::Plain>(&a, &x, &mut ours_c, &mut ours);
            assert!((f64::from(ours[lane]) - lstm).abs() < 1e-6);
            assert!((f64::from(ours_c[lane]) - memory).abs() < 1e-6);
        }
    }

    #[test]
    fn exponentials_are_exact_to_the_last_places() {
        for index in 0..=1_750 {
            let x = (index as f32 - 870.0) / 10.0;
            let mut found = [0.0; LANES];
            exponential(numbers::Plain::splat(x)).store(&mut found);
            let expected = f64::from(x).exp();
            assert!((f64::from(found[0]) / expected - 1.0).abs() < 4e-7, "{x}");
        }
    }

    #[test]
    fn projections_are_sums_of_products() {
        let (depth, columns) = (5, 70);
        let weights = some(depth * columns, 9);
        let matrix = Matrix::new(depth, columns, |k, column| weights[k * columns + column]);
        let (inputs, bias) = (some(8 * depth, 10), some(columns, 11));
        for level in Level::available() {
            let mut out = vec![0.0; 8 * columns];
            project(level, &inputs, &matrix, &bias, &mut out);
            for (index, found) in out.iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let products =
                    (0..depth).map(|k| inputs[row * depth + k] * weights[k * columns + column]);
                assert!((products.sum::<f32>() + bias[column] - found).abs() < 1e-6);
            }
        }
    }
}
