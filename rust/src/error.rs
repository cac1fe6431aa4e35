//! What can be wrong with a bundle, each with the file and the cause.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a bundle is not read. `Display` is one line that names the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no such folder, or a file of the bundle is missing or no regular file.
    Missing {
        /// The folder.
        path: PathBuf,
        /// What is missing, such as "not a bundle, config.json is missing".
        cause: String,
    },
    /// The system refused to read a file.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused to write a file.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is larger than a bundle's can be, or than the configuration allows.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it is, and how large it may be.
        cause: String,
    },
    /// A file's SHA-256 is not the one that the configuration, or a packed program, names.
    Altered {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        cause: String,
    },
    /// `config.json` is damaged, or is of a bundle that this version does not know.
    Config {
        /// The file.
        path: PathBuf,
        /// The key, its value and what was expected.
        cause: String,
    },
    /// `nsmc.safetensors` is damaged, or does not hold what the configuration calls for.
    Weights {
        /// The file.
        path: PathBuf,
        /// The tensor, and what is wrong with it.
        cause: String,
    },
    /// `tokenizer.json` is damaged, or is not of the kind that bundles have.
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The bundle is a pretrained encoder, which has no classifier yet.
    Encoder,
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Write { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())
            }
            Self::Missing { path, cause }
            | Self::TooLarge { path, cause }
            | Self::Altered { path, cause }
            | Self::Config { path, cause }
            | Self::Weights { path, cause }
            | Self::Tokenizer { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Encoder => f.write_str(
                "a pretrained encoder classifies nothing: train a classifier that starts from it \
                 (init_from)",
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
