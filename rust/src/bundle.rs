//! Reads a bundle and checks all of it; nothing in a bundle is ever executed.
//!
//! Sizes, names, shapes and types are compared with the configuration, and files with their
//! digests, before a weight is read or a tokenizer parsed.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::config_file::CONFIG_FILE;
use crate::error::Error;
use crate::tensors::{self, Tensors};
use crate::text::with_commas;
use crate::tokenizer::{TOKENIZER_FILE, Tokenizer};

pub(crate) const WEIGHTS_FILE: &str = "nsmc.safetensors";

const LARGEST_CONFIG: u64 = 16 << 20; // bytes; most have a thousand, those of many labels more
const LARGEST_HEADER: u64 = 1 << 20; // bytes of the weights' file that are no weights
/// Bytes of a tokenizer, and for each token; most take some forty.
const LARGEST_TOKENIZER: (u64, u64) = (1 << 20, 1 << 10);

/// A checked bundle in memory.
pub(crate) struct Bundle {
    pub(crate) config: Config,
    pub(crate) tensors: Tensors,
    pub(crate) tokenizer: Tokenizer,
}

/// The files of a bundle as they are, with their digests compared.
pub(crate) struct Files {
    pub(crate) config: Vec<u8>,
    pub(crate) weights: Vec<u8>,
    pub(crate) tokenizer: Vec<u8>,
}

impl Files {
    /// Reads the files in a folder; none is read that is larger than its configuration allows.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let missing = |cause: String| Error::Missing {
            path: folder.to_owned(),
            cause,
        };
        if !folder.is_dir() {
            return Err(missing("no such folder; a bundle is a folder".into()));
        }
        for name in [CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE] {
            let path = folder.join(name);
            if !path.is_file() {
                let problem = if path.exists() {
                    "is not a regular file"
                } else {
                    "is missing"
                };
                return Err(missing(format!("not a bundle, {name} {problem}")));
            }
        }
        let path = folder.join(CONFIG_FILE);
        let content = read_file(&path, LARGEST_CONFIG)?;
        let config = Config::read(&path, &content)?;
        config.check_memory(&path)?;
        Ok(Self {
            config: content,
            weights: read_file(&folder.join(WEIGHTS_FILE), largest_weights(&config))?,
            tokenizer: read_file(&folder.join(TOKENIZER_FILE), largest_tokenizer(&config))?,
        })
    }
}

impl Bundle {
    /// Checks the files; messages name them in `folder`.
    pub(crate) fn new(folder: &Path, files: Files) -> Result<Self, Error> {
        let path = folder.join(CONFIG_FILE);
        let config = Config::read(&path, &files.config)?;
        config.check_memory(&path)?;
        let Files {
            weights, tokenizer, ..
        } = files;
        let read_tensors = || {
            if !is_sealed(&config, WEIGHTS_FILE, &weights) {
                return Err(altered(folder, WEIGHTS_FILE));
            }
            tensors::read(&folder.join(WEIGHTS_FILE), &weights, &config)
        };
        let read_tokenizer = || {
            if !is_sealed(&config, TOKENIZER_FILE, &tokenizer) {
                return Err(altered(folder, TOKENIZER_FILE));
            }
            let path = folder.join(TOKENIZER_FILE);
            Tokenizer::read(&path, &tokenizer, config.vocab_size)
        };
        // The tokenizer takes longest; where there is another core, it does not wait for the weights.
        let (arrays, tokenizer) = thread::scope(|scope| {
            let Ok(reading) = thread::Builder::new().spawn_scoped(scope, read_tensors) else {
                return (read_tensors(), read_tokenizer());
            };
            let tokenizer = read_tokenizer();
            (reading.join().expect("it does not panic"), tokenizer)
        });
        let (arrays, tokenizer) = (arrays?, tokenizer?);
        Ok(Self {
            tensors: Tensors::new(arrays, weights, config.embedding_dim),
            config,
            tokenizer,
        })
    }
}

/// Whether a file's content has the digest that the configuration names.
fn is_sealed(config: &Config, name: &str, content: &[u8]) -> bool {
    config.sha256.get(name) == Some(&sha256(content))
}

fn altered(folder: &Path, name: &str) -> Error {
    Error::Altered {
        path: folder.join(name),
        cause: "altered; its SHA-256 is not the one in config.json".into(),
    }
}

fn largest_weights(config: &Config) -> u64 {
    let bytes = tensors::bytes(config);
    u64::try_from(bytes).unwrap_or(u64::MAX - LARGEST_HEADER) + LARGEST_HEADER
}

fn largest_tokenizer(config: &Config) -> u64 {
    LARGEST_TOKENIZER.0 + LARGEST_TOKENIZER.1 * config.vocab_size as u64
}

/// A file's content, of at most `largest` bytes.
pub(crate) fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let size = file
        .metadata()
        .map_err(|error| Error::io(path, error))?
        .len();
    if size > largest {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            cause: format!(
                "{} bytes; at most {} are expected",
                with_commas(size),
                with_commas(largest)
            ),
        });
    }
    let mut content = Vec::with_capacity(size as usize);
    file.take(largest)
        .read_to_end(&mut content)
        .map_err(|error| Error::io(path, error))?;
    Ok(content)
}

/// The SHA-256 of a content, hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
