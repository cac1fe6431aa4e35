//! The weights: where each tensor is in its file, and its numbers in float32.
//!
//! Of int8 weights a matrix is codes of one byte, and `NAME.scale` what the codes of each row are
//! multiplied by; what has no rows stays float32.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use half::f16;
use safetensors::SafeTensors;

use crate::architecture::Dtype;
use crate::config::Config;
use crate::error::Error;

const SCALE: &str = ".scale"; // behind the name of a matrix

/// Beyond any weight that was trained; sums of such numbers stay finite in float32.
const LARGEST_WEIGHT: f32 = 1e6;

/// Where a tensor's numbers are in the content of the file.
pub(crate) struct Array {
    range: Range<usize>,
    dtype: Dtype,
    scales: Vec<f32>, // [rows], of int8 alone
}

/// The tensors by name.
pub(crate) type Arrays = BTreeMap<String, Array>;

/// Name, type and shape of each array in the weights' file.
fn stored(config: &Config) -> BTreeMap<String, (Dtype, Vec<usize>)> {
    let mut arrays = BTreeMap::new();
    for (name, shape) in config.shapes() {
        let dtype = match config.dtype {
            Dtype::Int8 if shape.len() == 1 => Dtype::Float32,
            dtype => dtype,
        };
        if dtype == Dtype::Int8 {
            arrays.insert(format!("{name}{SCALE}"), (Dtype::Float32, vec![shape[0]]));
        }
        arrays.insert(name, (dtype, shape));
    }
    arrays
}

/// Bytes of all arrays in the file.
pub(crate) fn bytes(config: &Config) -> u128 {
    stored(config)
        .values()
        .map(|(dtype, shape)| {
            let count: u128 = shape.iter().map(|&size| size as u128).product();
            count * dtype.size() as u128
        })
        .sum()
}

/// Where each tensor is in the content of a file, which is checked.
pub(crate) fn read(path: &Path, content: &[u8], config: &Config) -> Result<Arrays, Error> {
    let refuse = |cause: String| Error::Weights {
        path: path.to_owned(),
        cause,
    };
    let tensors = SafeTensors::deserialize(content).map_err(|error| {
        let details: String = error.to_string().chars().take(100).collect();
        refuse(format!("not a safetensors file, or damaged ({details})"))
    })?;
    let expected = stored(config);
    let mut names: Vec<&str> = tensors.names();
    names.sort_unstable();
    if let Some(name) = expected.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(refuse(format!("tensor '{name}' is missing")));
    }
    if let Some(name) = names.iter().find(|name| !expected.contains_key(**name)) {
        let name: String = name.chars().take(100).collect();
        return Err(refuse(format!("tensor '{name}' does not belong there")));
    }
    let mut ranges = BTreeMap::new();
    for (name, (dtype, shape)) in &expected {
        let tensor = tensors.tensor(name).map_err(|e| refuse(e.to_string()))?;
        let wanted = in_file(*dtype);
        if (tensor.dtype(), tensor.shape()) != (wanted, shape) {
            return Err(refuse(format!(
                "tensor '{name}' is {:?} {:?}; config.json calls for {wanted:?} {shape:?}",
                tensor.dtype(),
                tensor.shape()
            )));
        }
        let data = tensor.data();
        let start = data.as_ptr().addr() - content.as_ptr().addr();
        ranges.insert(name, start..start + data.len());
    }
    let mut arrays = BTreeMap::new();
    for (name, shape) in config.shapes() {
        let mut scales = Vec::new();
        if let Some(range) = ranges.get(&format!("{name}{SCALE}")) {
            append(&content[range.clone()], Dtype::Float32, &[], &mut scales);
        }
        let array = Array {
            range: ranges[&name].clone(),
            dtype: expected[&name].0,
            scales,
        };
        if !are_sound(&content[array.range.clone()], &array, shape[0]) {
            return Err(refuse(format!(
                "tensor '{name}' has values that are not finite or too large"
            )));
        }
        arrays.insert(name, array);
    }
    Ok(arrays)
}

fn in_file(dtype: Dtype) -> safetensors::Dtype {
    match dtype {
        Dtype::Float32 => safetensors::Dtype::F32,
        Dtype::Float16 => safetensors::Dtype::F16,
        Dtype::Int8 => safetensors::Dtype::I8,
    }
}

/// The tensors of a bundle, as the file has them.
pub(crate) struct Tensors {
    content: Vec<u8>,
    arrays: Arrays,
    embedding_dim: usize,
}

impl Tensors {
    pub(crate) fn new(arrays: Arrays, content: Vec<u8>, embedding_dim: usize) -> Self {
        Self {
            content,
            arrays,
            embedding_dim,
        }
    }

    /// The numbers of a tensor, in float32.
    pub(crate) fn get(&self, name: &str) -> Vec<f32> {
        let (array, mut numbers) = (&self.arrays[name], Vec::new());
        let bytes = &self.content[array.range.clone()];
        append(bytes, array.dtype, &array.scales, &mut numbers);
        numbers
    }

    /// The embedding alone, whose numbers stay as the file has them.
    pub(crate) fn into_embedding(mut self) -> Embedding {
        Embedding {
            array: self.arrays.remove("embedding.weight").expect("it is there"),
            content: self.content,
            dim: self.embedding_dim,
        }
    }
}

/// The embedding [V, E], in the type that the file has.
pub(crate) struct Embedding {
    content: Vec<u8>,
    array: Array,
    dim: usize,
}

impl Embedding {
    /// V.
    pub(crate) fn vocab_size(&self) -> usize {
        self.array.range.len() / (self.dim * self.array.dtype.size())
    }

    /// Appends the embedding of a token.
    pub(crate) fn append(&self, id: u32, numbers: &mut Vec<f32>) {
        let (size, id) = (self.dim * self.array.dtype.size(), id as usize);
        let start = self.array.range.start + id * size;
        let scales = match self.array.dtype {
            Dtype::Int8 => &self.array.scales[id..=id],
            _ => &[],
        };
        let bytes = &self.content[start..start + size];
        append(bytes, self.array.dtype, scales, numbers);
    }
}

/// Appends rows of numbers in float32; `scales` are those of the rows, of int8 alone.
fn append(bytes: &[u8], dtype: Dtype, scales: &[f32], numbers: &mut Vec<f32>) {
    match dtype {
        Dtype::Float32 => {
            let words = bytes.as_chunks().0.iter();
            numbers.extend(words.map(|&bytes| f32::from_le_bytes(bytes)));
        }
        Dtype::Float16 => {
            let halves = bytes.as_chunks().0.iter();
            numbers.extend(halves.map(|&bytes| f16::from_le_bytes(bytes).to_f32()));
        }
        Dtype::Int8 => {
            let rows = bytes.chunks_exact(bytes.len() / scales.len());
            for (row, scale) in rows.zip(scales) {
                numbers.extend(row.iter().map(|&byte| f32::from(byte as i8) * scale));
            }
        }
    }
}

/// Whether all are numbers, and none is too large.
fn are_sound(bytes: &[u8], array: &Array, rows: usize) -> bool {
    const EXPONENT: u16 = 0x7c00; // all of its bits are set in what is no number
    match array.dtype {
        Dtype::Float32 => bytes
            .as_chunks()
            .0
            .iter()
            .all(|&bytes| f32::from_le_bytes(bytes).abs() < LARGEST_WEIGHT),
        Dtype::Float16 => bytes
            .as_chunks()
            .0
            .iter()
            .all(|&bytes| u16::from_le_bytes(bytes) & EXPONENT != EXPONENT),
        Dtype::Int8 => {
            let rows = bytes.chunks_exact(bytes.len() / rows);
            rows.zip(&array.scales).all(|(row, scale)| {
                let largest = row.iter().map(|&byte| (byte as i8).unsigned_abs()).max();
                (f32::from(largest.unwrap_or(0)) * scale).abs() < LARGEST_WEIGHT
            })
        }
    }
}
