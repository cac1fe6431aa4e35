//! A bundle in a program on candle: a GRU or an LSTM of one layer and one direction that answers from
//! its last state, as nsmc trains by default. The sizes are those of its config.json.
//!
//!     cargo run --release --features candle --example candle -- BUNDLE
//!
//! asks for reviews; `--features cuda` computes on a GPU. With `--vectors` or `--time`, lines of JSON
//! are answered as the examples `vectors` and `speed` answer them.

use std::error::Error;
use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::rnn::{GRU, GRUConfig, GRUState, LSTM, LSTMConfig, LSTMState, RNN, gru, lstm};
use candle_nn::{Embedding, Linear, Module, VarBuilder, embedding, linear, ops};
use serde_json::Value;
use tokenizers::pipeline::{EncodeOptions, Override, PipelineTokenizer};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

enum Cell {
    Gru(GRU),
    Lstm(LSTM),
}

struct Classifier {
    device: Device,
    tokenizer: PipelineTokenizer,
    max_length: usize,
    labels: Vec<String>,
    embedding: Embedding,
    cell: Cell,
    head: Linear,
    temperature: f64,
}

impl Classifier {
    fn load(folder: &Path) -> Result<Self> {
        let config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let size = |key: &str| {
            let size = config[key]
                .as_u64()
                .ok_or_else(|| format!("config.json: no {key}"))?;
            Ok::<usize, Box<dyn Error + Send + Sync>>(size as usize)
        };
        let labels: Vec<String> = serde_json::from_value(config["labels"].clone())?;
        if config["pooling"] != "last"
            || size("num_layers")? != 1
            || config["bidirectional"] == true
            || config["dtype"] == "int8"
        {
            return Err(
                "this program reads one layer, one direction and last pooling, no int8".into(),
            );
        }
        // Version 1.0 of the crate reads the older form through a conversion.
        let text = std::fs::read_to_string(folder.join("tokenizer.json"))?;
        let tokenizer = tokenizers::from_json(&tokenizers::canonicalize_str(&text)?)?;

        let device = Device::cuda_if_available(0)?;
        let weights = std::fs::read(folder.join("nsmc.safetensors"))?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &device)?;
        let (embedding_dim, hidden) = (size("embedding_dim")?, size("hidden_size")?);
        let cell = match config["architecture"].as_str() {
            Some("gru") => Cell::Gru(gru(
                embedding_dim,
                hidden,
                GRUConfig::default(),
                weights.pp("gru"),
            )?),
            Some("lstm") => Cell::Lstm(lstm(
                embedding_dim,
                hidden,
                LSTMConfig::default(),
                weights.pp("lstm"),
            )?),
            other => return Err(format!("config.json: architecture is {other:?}").into()),
        };
        Ok(Self {
            tokenizer,
            max_length: size("max_length")?,
            embedding: embedding(size("vocab_size")?, embedding_dim, weights.pp("embedding"))?,
            cell,
            head: linear(hidden, labels.len(), weights.pp("ln1"))?,
            labels,
            device,
            // Without it, as the blog post's program is, probabilities are less to be trusted.
            temperature: config["confidence"]["temperature"].as_f64().unwrap_or(1.0),
        })
    }

    /// The first `max_length` ids.
    fn token_ids(&self, text: &str) -> Result<Vec<u32>> {
        let options = EncodeOptions {
            padding: Override::Off,
            truncation: Override::Off,
            ..EncodeOptions::no_specials()
        };
        let mut tokens = Vec::new();
        self.tokenizer.encode_into(text, &options, &mut tokens)?;
        Ok(tokens
            .iter()
            .take(self.max_length)
            .map(|token| token.id())
            .collect())
    }

    fn logits(&self, ids: &[u32]) -> Result<Tensor> {
        let embedded = self.embedding.forward(&Tensor::new(ids, &self.device)?)?;
        let state = match &self.cell {
            Cell::Gru(cell) => read(cell, &embedded, ids.len(), GRUState::h)?,
            Cell::Lstm(cell) => read(cell, &embedded, ids.len(), LSTMState::h)?,
        };
        Ok(self.head.forward(&state)?.squeeze(0)?)
    }

    fn classify(&self, text: &str) -> Result<(&str, f32)> {
        let logits = self.logits(&self.token_ids(text)?)?;
        let scaled = (logits / self.temperature)?;
        let probabilities: Vec<f32> = ops::softmax(&scaled, 0)?.to_vec1()?;
        let best =
            (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
        let best = best.ok_or("no labels")?;
        Ok((&self.labels[best], probabilities[best]))
    }
}

/// The state after the last token.
fn read<C: RNN>(
    cell: &C,
    embedded: &Tensor,
    tokens: usize,
    hidden: impl Fn(&C::State) -> &Tensor,
) -> Result<Tensor> {
    let mut state = cell.zero_state(1)?;
    for token in 0..tokens {
        state = cell.step(&embedded.narrow(0, token, 1)?, &state)?;
    }
    Ok(hidden(&state).clone())
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().ok_or("usage: candle BUNDLE")?;
    let classifier = Classifier::load(Path::new(&folder))?;
    match words.next().as_deref() {
        None => converse(&classifier),
        Some("--vectors") => answer_lines(|text: String| {
            let ids = classifier.token_ids(&text)?;
            let logits: Vec<f32> = classifier.logits(&ids)?.to_vec1()?;
            Ok(serde_json::to_string(&(ids, logits))?)
        }),
        Some("--time") => answer_lines(|texts: Vec<String>| {
            let seconds = texts.iter().map(|text| {
                let start = Instant::now();
                classifier.classify(text)?;
                Ok(start.elapsed().as_secs_f64())
            });
            Ok(serde_json::to_string(
                &seconds.collect::<Result<Vec<f64>>>()?,
            )?)
        }),
        Some(other) => Err(format!("{other}: no such option").into()),
    }
}

fn answer_lines<T: serde::de::DeserializeOwned>(
    answer: impl Fn(T) -> Result<String>,
) -> Result<()> {
    for line in stdin().lock().lines() {
        println!("{}", answer(serde_json::from_str(&line?)?)?);
    }
    Ok(())
}

/// Asks until q, quit, exit or the end of the input; an empty line is no review.
fn converse(classifier: &Classifier) -> Result<()> {
    let is_asked = stdin().is_terminal();
    let mut line = String::new();
    loop {
        if is_asked {
            print!("영화 리뷰를 입력하세요: ");
            stdout().flush()?;
        }
        line.clear();
        if stdin().lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        let text = line.trim(); // the line's end, too
        if ["q", "quit", "exit"].contains(&text) {
            return Ok(());
        }
        if !text.is_empty() {
            let (label, probability) = classifier.classify(text)?;
            println!("{label}\t{probability:.4}");
        }
    }
}
