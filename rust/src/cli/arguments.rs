//! The words of the command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::Failure;

const OPTIONS: [&str; 6] = [
    "--bundle",
    "--json",
    "--threads",
    "--output",
    "--version",
    "--help",
];

/// A text that ends so is a file to be read, not a review.
const DATA_EXTENSIONS: [&str; 13] = [
    ".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".txt", ".parquet", ".xls", ".xlsx", ".gz",
    ".bz2", ".xz", ".zip",
];

pub(super) struct Arguments {
    pub(super) command: Command,
    pub(super) bundle: Option<PathBuf>,
    pub(super) json: bool,
    pub(super) threads: Option<usize>,
}

pub(super) enum Command {
    Classify { texts: Vec<String> },
    Info,
    Pack { folder: PathBuf, output: PathBuf },
    Help,
    Version,
}

impl Arguments {
    pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut words = words.peekable();
        let subcommand = words.next_if(|word| word == "info" || word == "pack");
        let (mut bundle, mut output, mut threads) = (None, None, None);
        let (mut json, mut asked) = (false, None);
        let mut rest = Vec::new();
        while let Some(word) = words.next() {
            let shown = word.to_string_lossy().into_owned();
            let (name, value) = match shown.split_once('=') {
                Some((name, value)) if is_option(name) => (name, Some(OsString::from(value))),
                _ => (shown.as_str(), None),
            };
            let mut needed = || {
                value
                    .clone()
                    .or_else(|| words.next())
                    .ok_or_else(|| misuse(name))
            };
            match name {
                "--bundle" => bundle = Some(PathBuf::from(needed()?)),
                "-o" | "--output" => output = Some(PathBuf::from(needed()?)),
                "--threads" => threads = Some(number(name, &needed()?)?),
                "--json" => json = true,
                "-h" | "--help" => asked = asked.or(Some(Command::Help)),
                "--version" => asked = asked.or(Some(Command::Version)),
                "--" => rest.extend(words.by_ref()),
                _ if is_option(name) => return Err(no_such_option(name)),
                _ => rest.push(word),
            }
        }
        let command = match (asked, subcommand) {
            (Some(asked), _) => asked,
            (None, Some(name)) if name == "pack" => pack(rest, output.take())?,
            (None, Some(_)) => match rest.first() {
                None => Command::Info,
                Some(_) => return Err("info: a bundle is named with --bundle FOLDER".into()),
            },
            (None, None) => Command::Classify {
                texts: texts(&rest)?,
            },
        };
        if output.is_some() {
            return Err("--output is for pack".into());
        }
        Ok(Self {
            command,
            bundle,
            json,
            threads,
        })
    }
}

/// Whether a word is an option; "-_-" and "--;;" are reviews.
fn is_option(word: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    matches!(word, "-o" | "-h")
        || word
            .strip_prefix("--")
            .is_some_and(|name| name.split('-').all(is_part))
}

fn no_such_option(name: &str) -> Failure {
    let beginning: String = name.chars().take(4).collect();
    let way_out = match OPTIONS.iter().find(|option| option.starts_with(&beginning)) {
        Some(near) => format!("did you mean {near}?"),
        None => "-- goes before a review that begins so".into(),
    };
    format!("{name}: no such option; {way_out}").into()
}

fn misuse(name: &str) -> Failure {
    Failure {
        line: format!("{name}: expected a value; --help has more"),
        code: 2,
    }
}

fn number(name: &str, value: &OsStr) -> Result<usize, Failure> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.filter(|&number| number > 0).ok_or_else(|| Failure {
        line: format!(
            "{name}: {} is no whole number from 1 on",
            value.to_string_lossy()
        ),
        code: 2,
    })
}

fn pack(words: Vec<OsString>, output: Option<PathBuf>) -> Result<Command, Failure> {
    match (words.as_slice(), output) {
        ([folder], Some(output)) => Ok(Command::Pack {
            folder: folder.into(),
            output,
        }),
        _ => Err("pack: expected the bundle's folder and -o FILE".into()),
    }
}

/// Refuses a word that names a folder or a file, which was hardly meant as a review.
fn texts(words: &[OsString]) -> Result<Vec<String>, Failure> {
    let texts: Vec<String> = words.iter().map(|word| text(word)).collect();
    if let Some(first) = texts.first().filter(|first| Path::new(first).is_dir()) {
        return Err(format!("{first}: a bundle is named with --bundle {first}").into());
    }
    for text in &texts {
        let lower = text.to_lowercase();
        let is_name = !text.contains(char::is_whitespace);
        if is_name && DATA_EXTENSIONS.iter().any(|ending| lower.ends_with(ending)) {
            return Err(format!("{text}: a file of reviews is read from a pipe: < {text}").into());
        }
    }
    Ok(texts)
}

/// What UTF-8 cannot hold is read as "?".
fn text(word: &OsStr) -> String {
    let mut text = String::new();
    for chunk in word.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}
