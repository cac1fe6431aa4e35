//! Reviews of different lengths as one row of tokens without padding, in the order they are read.
//!
//! All first tokens come first, then all second ones, and so on. The reviews stand in order of
//! length, the longest first, so that those which still have a token are always the first ones.

/// Some reviews. Legend: N tokens of all reviews together, T tokens of the longest, B reviews.
pub(crate) struct Packed {
    /// [N].
    pub(crate) ids: Vec<u32>,
    /// How many reviews have a token at each step [T].
    pub(crate) active: Vec<u32>,
    /// [B], descending.
    pub(crate) lengths: Vec<usize>,
    /// Where each step's tokens begin [T].
    pub(crate) starts: Vec<u32>,
}

impl Packed {
    /// Packs reviews that stand in order of length, the longest first.
    pub(crate) fn new(reviews: &[&[u32]]) -> Self {
        let lengths: Vec<usize> = reviews.iter().map(|ids| ids.len()).collect();
        debug_assert!(lengths.is_sorted_by(|a, b| a >= b));
        let mut packed = Self {
            ids: Vec::with_capacity(lengths.iter().sum()),
            active: Vec::new(),
            starts: Vec::new(),
            lengths,
        };
        let mut count = reviews.len();
        for step in 0..packed.lengths.first().copied().unwrap_or(0) {
            while packed.lengths[count - 1] <= step {
                count -= 1;
            }
            packed.active.push(count as u32);
            packed.starts.push(packed.ids.len() as u32);
            packed
                .ids
                .extend(reviews[..count].iter().map(|ids| ids[step]));
        }
        packed
    }

    /// Where a review's token of a step is.
    pub(crate) fn at(&self, review: usize, step: usize) -> usize {
        self.starts[step] as usize + review
    }

    /// Where the tokens are [N], in the order in which a review is read from its first.
    pub(crate) fn forward(&self) -> Vec<u32> {
        (0..self.ids.len() as u32).collect()
    }

    /// Where the tokens are [N], in the order in which a review is read from its last.
    pub(crate) fn backward(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.ids.len());
        for (step, &count) in self.active.iter().enumerate() {
            let last_first = |review| self.at(review, self.lengths[review] - 1 - step) as u32;
            order.extend((0..count as usize).map(last_first));
        }
        order
    }
}
