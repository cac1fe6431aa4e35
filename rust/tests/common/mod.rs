//! What the tests share: the bundles of random weights in `tests/data`, and folders to write into.

#![allow(dead_code)] // each test program uses some of it

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use sha2::{Digest, Sha256};

pub const BUNDLES: [&str; 3] = ["tiny", "tiny-lstm", "tiny-cnn"];
pub const FILES: [&str; 3] = ["config.json", "nsmc.safetensors", "tokenizer.json"];

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A bundle's files by name.
pub type Files = BTreeMap<&'static str, Vec<u8>>;

pub fn files(name: &str) -> Files {
    let content = |file| fs::read(data(name).join(file)).unwrap();
    FILES
        .into_iter()
        .map(|file| (file, content(file)))
        .collect()
}

pub fn json(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// The files with another value for a key of `config.json`.
pub fn with(files: &Files, key: &str, value: Value) -> Files {
    let mut config = json(files, "config.json");
    config[key] = value;
    let mut files = files.clone();
    files.insert("config.json", config.to_string().into_bytes());
    files
}

/// The files with the digests that they have now.
pub fn resealed(files: &Files) -> Files {
    let digest = |name: &str| {
        let bytes = Sha256::digest(&files[name]);
        Value::from(
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    };
    let Ok(Value::Object(mut config)) = serde_json::from_slice(&files["config.json"]) else {
        return files.clone();
    };
    let digests = FILES[1..]
        .iter()
        .map(|name| (name.to_string(), digest(name)));
    config.insert("sha256".into(), Value::Object(digests.collect()));
    let mut files = files.clone();
    files.insert(
        "config.json",
        Value::Object(config).to_string().into_bytes(),
    );
    files
}

/// A folder of its own, that goes when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nsmc-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, files: &Files) -> &Path {
        for (name, content) in files {
            fs::write(self.0.join(name), content).unwrap();
        }
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
