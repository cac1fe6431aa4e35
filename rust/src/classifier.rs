//! Texts to answers.
//!
//! Legend: T tokens of a review, N tokens of all reviews, packed, B reviews, W width of a state,
//! C labels.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::architecture::{Architecture, Pooling};
use crate::bundle::{Bundle, Files};
use crate::config::Config;
use crate::convolution::ConvolutionEncoder;
use crate::error::Error;
use crate::kernel::Level;
use crate::packed::Packed;
use crate::recurrent::RecurrentEncoder;
use crate::tensors::Tensors;
use crate::tokenizer::Tokenizer;

/// Reviews that are computed together: enough for the registers to be full mostly, few enough for
/// the cache; and tokens and numbers of states, of which long reviews have more.
const BATCH: usize = 128;
const BATCH_TOKENS: usize = 1 << 15;
const BATCH_NUMBERS: usize = 1 << 23;

/// Texts that a thread takes at a time.
const CHUNK: usize = 1_024;

/// The likeliest label of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// One of the bundle's labels.
    pub label: &'a str,
    /// Of that label; of two labels from 0.5 to 1.
    pub probability: f64,
    logits: Vec<f32>,
    temperature: f32,
}

impl Answer<'_> {
    /// The probability of each label, in the order of [`Config::labels`].
    pub fn probabilities(&self) -> Vec<f64> {
        let exponentials = exponentials(&self.logits, self.temperature);
        let sum: f64 = exponentials.iter().sum();
        exponentials
            .into_iter()
            .map(|number| number / sum)
            .collect()
    }

    /// The logit of each label, in the order of [`Config::labels`]; probabilities are the softmax of
    /// these divided by [`Config::temperature`].
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

/// Answers which of a bundle's labels texts have.
///
/// Nothing that one call does can be noticed by another: any number of threads may share one.
///
/// ```
/// use nsmc::Classifier;
///
/// let classifier = Classifier::load("tests/data/tiny")?;
/// let answer = classifier.classify("이 영화 정말 최고예요");
/// assert!(classifier.config().labels.iter().any(|label| label == answer.label));
/// assert!((0.5..=1.0).contains(&answer.probability));
/// # Ok::<(), nsmc::Error>(())
/// ```
pub struct Classifier {
    config: Config,
    tokenizer: Tokenizer,
    encoder: Encoder,
    attention: Vec<f32>, // [W] with attention pooling
    weight: Vec<f32>,    // [C, pooled width]
    bias: Vec<f32>,      // [C]
    level: Level,
}

enum Encoder {
    Recurrent(RecurrentEncoder),
    Convolution(ConvolutionEncoder),
}

impl Classifier {
    /// Reads the bundle in a folder.
    ///
    /// # Errors
    ///
    /// Where there is none, where it is damaged, or where this version does not know its kind.
    ///
    /// ```
    /// let error = nsmc::Classifier::load("nowhere").err().unwrap();
    /// assert_eq!(error.to_string(), "nowhere: no such folder; a bundle is a folder");
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        Self::new(Bundle::new(folder, Files::read(folder)?)?, Level::best())
    }

    /// Reads a bundle from the content of its files `config.json`, `nsmc.safetensors` and
    /// `tokenizer.json`, such as those that a program includes.
    ///
    /// # Errors
    ///
    /// As [`Classifier::load`]; messages name the files without a folder.
    ///
    /// ```
    /// # use std::fs::read;
    /// let folder = std::path::Path::new("tests/data/tiny");
    /// let classifier = nsmc::Classifier::from_bytes(
    ///     read(folder.join("config.json"))?,
    ///     read(folder.join("nsmc.safetensors"))?,
    ///     read(folder.join("tokenizer.json"))?,
    /// )?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_bytes(
        config: impl Into<Vec<u8>>,
        weights: impl Into<Vec<u8>>,
        tokenizer: impl Into<Vec<u8>>,
    ) -> Result<Self, Error> {
        let files = Files {
            config: config.into(),
            weights: weights.into(),
            tokenizer: tokenizer.into(),
        };
        Self::new(Bundle::new(Path::new(""), files)?, Level::best())
    }

    pub(crate) fn new(bundle: Bundle, level: Level) -> Result<Self, Error> {
        let Bundle {
            config,
            tensors,
            tokenizer,
        } = bundle;
        if config.labels.is_empty() {
            return Err(Error::Encoder);
        }
        let attention = match config.pooling {
            Pooling::Attention => tensors.get("attention.weight"),
            _ => Vec::new(),
        };
        let (weight, bias) = (tensors.get("ln1.weight"), tensors.get("ln1.bias"));
        Ok(Self {
            encoder: Encoder::new(&config, tensors, level),
            config,
            tokenizer,
            attention,
            weight,
            bias,
            level,
        })
    }

    /// What the bundle's `config.json` says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What computes: "AVX-512", "AVX2", or "plain" on any processor.
    pub fn backend(&self) -> &'static str {
        self.level.name()
    }

    /// Classifies a text. One without a token gets the answer of the bias alone.
    pub fn classify(&self, text: &str) -> Answer<'_> {
        self.answer(self.logits(&self.token_ids(text)))
    }

    /// Classifies texts, in order, on so many threads, at least one.
    ///
    /// ```
    /// # let classifier = nsmc::Classifier::load("tests/data/tiny")?;
    /// let answers = classifier.classify_many(&["최고예요", "재미없는 영화"], 2);
    /// assert_eq!(answers[0], classifier.classify("최고예요"));
    /// # Ok::<(), nsmc::Error>(())
    /// ```
    pub fn classify_many<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        threads: usize,
    ) -> Vec<Answer<'_>> {
        let chunks: Vec<&[T]> = texts.chunks(CHUNK).collect();
        let threads = threads.clamp(1, chunks.len().max(1));
        if threads == 1 {
            return chunks
                .into_iter()
                .flat_map(|texts| self.classify_chunk(texts))
                .collect();
        }
        let next = AtomicUsize::new(0);
        let answers: Vec<Mutex<Vec<Answer>>> = chunks.iter().map(|_| Mutex::default()).collect();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((texts, into)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        chunks.get(index).zip(answers.get(index))
                    } {
                        *into.lock().expect("nobody else has it") = self.classify_chunk(texts);
                    }
                });
            }
        });
        answers
            .into_iter()
            .flat_map(|answers| answers.into_inner().expect("its thread has ended well"))
            .collect()
    }

    /// The ids of a text, at most `max_length` of them.
    pub fn token_ids(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.tokenizer
            .token_ids(text, self.config.max_length, &mut ids);
        ids
    }

    /// The logits [C] of a review given as token ids.
    ///
    /// # Panics
    ///
    /// For an id that is not in the vocabulary.
    pub fn logits(&self, token_ids: &[u32]) -> Vec<f32> {
        let packed = self.packed(&[token_ids]);
        self.packed_logits(&packed)
            .pop()
            .expect("there is one review")
    }

    fn classify_chunk<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Answer<'_>> {
        let (mut ids, mut ends) = (Vec::new(), Vec::with_capacity(texts.len()));
        for text in texts {
            self.tokenizer
                .token_ids(text.as_ref(), self.config.max_length, &mut ids);
            ends.push(ids.len());
        }
        let start = |review: usize| if review == 0 { 0 } else { ends[review - 1] };
        let ids_of = |review: usize| &ids[start(review)..ends[review]];
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&review| std::cmp::Reverse(ids_of(review).len()));
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while let Some(&first) = rest.first() {
            let longest = ids_of(first).len().max(1);
            let of_states = BATCH_NUMBERS / longest / self.config.width();
            let most = BATCH.min(BATCH_TOKENS / longest).min(of_states).max(1);
            let (batch, others) = rest.split_at(most.min(rest.len()));
            let reviews: Vec<&[u32]> = batch.iter().map(|&review| ids_of(review)).collect();
            for (&review, numbers) in batch.iter().zip(self.packed_logits(&self.packed(&reviews))) {
                logits[review] = numbers;
            }
            rest = others;
        }
        logits
            .into_iter()
            .map(|numbers| self.answer(numbers))
            .collect()
    }

    fn answer(&self, logits: Vec<f32>) -> Answer<'_> {
        let (mut best, temperature) = (0, self.config.temperature);
        for (label, logit) in logits.iter().enumerate() {
            if *logit > logits[best] {
                best = label;
            }
        }
        Answer {
            label: &self.config.labels[best],
            probability: 1.0 / exponentials(&logits, temperature).iter().sum::<f64>(),
            logits,
            temperature,
        }
    }

    fn packed(&self, reviews: &[&[u32]]) -> Packed {
        let packed = Packed::new(reviews);
        let is_known = |&id: &u32| (id as usize) < self.config.vocab_size;
        assert!(
            packed.ids.iter().all(is_known),
            "an id that is not in the vocabulary"
        );
        packed
    }

    /// Logits [B, C].
    fn packed_logits(&self, packed: &Packed) -> Vec<Vec<f32>> {
        let width = self.config.width();
        let states = self
            .encoder
            .states(packed, self.config.pooling != Pooling::Last);
        let pools = Pools {
            states: &states,
            width,
            attention: &self.attention,
        };
        let pooled = |review: usize| match (self.config.pooling, &self.encoder) {
            (Pooling::Last, Encoder::Recurrent(_)) => states[review * width..][..width].to_vec(),
            (pooling, _) => pools.pool(pooling, packed, review),
        };
        (0..packed.lengths.len())
            .map(|review| self.head(&pooled(review)))
            .collect()
    }

    /// The logits [C] of what was pooled.
    fn head(&self, pooled: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(pooled.len());
        rows.zip(&self.bias)
            .map(|(row, bias)| dot(row, pooled) + bias)
            .collect()
    }
}

impl Encoder {
    fn new(config: &Config, tensors: Tensors, level: Level) -> Self {
        match &config.architecture {
            Architecture::Recurrent {
                cell, hidden_size, ..
            } => Self::Recurrent(RecurrentEncoder::new(
                config,
                *cell,
                *hidden_size,
                tensors,
                level,
            )),
            Architecture::Convolution {
                filter_widths,
                num_filters,
            } => Self::Convolution(ConvolutionEncoder::new(
                filter_widths,
                *num_filters,
                tensors,
                level,
            )),
        }
    }

    /// The states of all tokens [N, W]; of a recurrent one, if wanted, only the last ones [B, W].
    fn states(&self, packed: &Packed, wants_all: bool) -> Vec<f32> {
        match self {
            Self::Recurrent(encoder) => encoder.states(packed, wants_all),
            Self::Convolution(encoder) => encoder.states(packed),
        }
    }
}

/// The states of all tokens [N, W], and how each review's become one vector.
struct Pools<'a> {
    states: &'a [f32],
    width: usize,
    attention: &'a [f32],
}

impl Pools<'_> {
    /// Zeros for a review without a token.
    fn pool(&self, pooling: Pooling, packed: &Packed, review: usize) -> Vec<f32> {
        let length = packed.lengths[review];
        let state =
            |step: usize| &self.states[packed.at(review, step) * self.width..][..self.width];
        let states = (0..length).map(state);
        match pooling {
            _ if length == 0 => {
                vec![0.0; self.width * (1 + usize::from(pooling == Pooling::MaxMean))]
            }
            Pooling::Last => state(length - 1).to_vec(),
            Pooling::Max => self.max(states),
            Pooling::Mean => self.mean(states, &vec![1.0; length]),
            Pooling::MaxMean => {
                let mut both = self.max(states.clone());
                both.extend(self.mean(states, &vec![1.0; length]));
                both
            }
            Pooling::Attention => {
                let scores: Vec<f32> = states.clone().map(|s| dot(s, self.attention)).collect();
                let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weights: Vec<f32> =
                    scores.iter().map(|score| (score - highest).exp()).collect();
                self.mean(states, &weights)
            }
        }
    }

    fn max<'b>(&self, states: impl Iterator<Item = &'b [f32]>) -> Vec<f32> {
        let mut maxima = vec![f32::NEG_INFINITY; self.width];
        for state in states {
            for (maximum, number) in maxima.iter_mut().zip(state) {
                *maximum = maximum.max(*number);
            }
        }
        maxima
    }

    /// The weighted mean, in float64, as a thousand states that are alike all lose the same when
    /// they are added up in float32.
    fn mean<'b>(&self, states: impl Iterator<Item = &'b [f32]>, weights: &[f32]) -> Vec<f32> {
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        let mut mean = vec![0.0_f64; self.width];
        for (state, weight) in states.zip(weights) {
            let share = f64::from(*weight) / total;
            for (sum, number) in mean.iter_mut().zip(state) {
                *sum += share * f64::from(*number);
            }
        }
        mean.into_iter().map(|sum| sum as f32).collect()
    }
}

/// The exponentials of how far logits, divided by the temperature, are below the greatest, in
/// float64, in which none near 0 or 1 is rounded to it.
fn exponentials(logits: &[f32], temperature: f32) -> Vec<f64> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) / temperature;
    logits
        .iter()
        .map(|logit| f64::from(logit / temperature - greatest).exp())
        .collect()
}

/// The sum of products, in several sums that a processor adds to at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const SUMS: usize = 16;
    let mut sums = [0.0; SUMS];
    let (whole_a, rest_a) = a.as_chunks::<SUMS>();
    let (whole_b, rest_b) = b.as_chunks::<SUMS>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
