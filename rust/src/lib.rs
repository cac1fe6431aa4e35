//! Classifies text with a bundle that nsmc has trained: GRU, LSTM or CNN, without Python.
//!
//! ```
//! let classifier = nsmc::Classifier::load("tests/data/tiny")?;
//! println!("{}", classifier.classify("와 진짜 재밌는 영화임미다!!").label);
//! # Ok::<(), nsmc::Error>(())
//! ```
//!
//! A bundle is a folder with `nsmc.safetensors`, `tokenizer.json` and `config.json`; all of it is
//! checked when it is read, and nothing in it is executed.

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod architecture;
mod bundle;
mod classifier;
mod config;
mod config_file;
mod convolution;
mod error;
mod first_layer;
mod kernel;
mod normalizer;
pub mod pack;
mod packed;
mod recurrent;
mod shapes;
mod tensors;
mod text;
mod tokenizer;
mod tokenizer_file;

pub use architecture::{Architecture, CellKind, Dtype, Pooling};
pub use classifier::{Answer, Classifier};
pub use config::Config;
pub use error::Error;
pub use text::{harmless, with_commas};

/// The examples of the README are tested, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
