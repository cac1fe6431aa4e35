//! A program and a bundle in one executable file.
//!
//! The bundle's files lie behind the program, between two marks: a system that runs the file reads
//! the program's part alone. The second mark, at the very end, has their sizes and a digest; the
//! first one shows that there was a bundle where the end has been cut off.
//!
//! ```no_run
//! // A program that was packed answers with the bundle in it.
//! let program = nsmc::pack::Program::running()?.expect("a bundle in this program");
//! println!("{}", program.classifier()?.classify("재미있는 영화군요").label);
//! # Ok::<(), nsmc::Error>(())
//! ```

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use lz4_flex::block;
use sha2::{Digest, Sha256};

use crate::bundle::{Bundle, Files, WEIGHTS_FILE};
use crate::classifier::Classifier;
use crate::config_file::CONFIG_FILE;
use crate::error::Error;
use crate::kernel::Level;
use crate::tokenizer::TOKENIZER_FILE;

const NAMES: [&str; 3] = [CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE];

const MARK: usize = 16; // bytes
const DIGEST: usize = 32;
const END: usize = 8 * (1 + NAMES.len()) + DIGEST + MARK; // sizes, digest, mark

/// The two marks. They are put together as the program runs: in the program itself, where the first
/// one is looked for, they must not stand.
fn marks() -> [[u8; MARK]; 2] {
    let reversed = [
        *black_box(b"\n 1v eldnub cmsn"),
        *black_box(b"\ndne eldnub cmsn"),
    ];
    reversed.map(|mut mark| {
        mark.reverse();
        mark
    })
}

/// A program's file with the bundle that was packed into it.
pub struct Program {
    path: PathBuf,
    /// Of the program alone, and of each of the bundle's files.
    sizes: [u64; 1 + NAMES.len()],
    /// Of the sizes and the configuration, which has the digests of the other files.
    digest: [u8; DIGEST],
    file: File,
}

impl Program {
    /// The program that runs; none where no bundle was packed into it.
    ///
    /// # Errors
    ///
    /// Where its file cannot be read, or was cut off or altered.
    pub fn running() -> Result<Option<Self>, Error> {
        let (path, file) = running()?;
        Self::read(path, file)
    }

    /// The program in a file; none where no bundle was packed into it.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or was cut off or altered.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        Self::read(path.to_owned(), file)
    }

    fn read(path: PathBuf, mut file: File) -> Result<Option<Self>, Error> {
        let refuse = || refusal(&path);
        let io = |error| Error::io(&path, error);
        let [first_mark, last_mark] = marks();
        let length = file.metadata().map_err(io)?.len();
        let mut end = [0; END];
        if length >= END as u64 {
            file.seek(SeekFrom::End(-(END as i64))).map_err(io)?;
            file.read_exact(&mut end).map_err(io)?;
        }
        if !end.ends_with(&last_mark) {
            if find(&mut file, &first_mark).map_err(io)? {
                return Err(refuse());
            }
            return Ok(None);
        }
        let mut numbers = end
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| u64::from_le_bytes(bytes));
        let sizes = std::array::from_fn(|_| numbers.next().unwrap_or(0));
        let total = sizes
            .iter()
            .try_fold((MARK + END) as u64, |sum: u64, &size| sum.checked_add(size));
        if total != Some(length) {
            return Err(refuse());
        }
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&end[END - MARK - DIGEST..END - MARK]);
        Ok(Some(Self {
            path,
            sizes,
            digest,
            file,
        }))
    }

    /// The classifier of the bundle, which is checked as one in a folder is.
    ///
    /// # Errors
    ///
    /// As [`Classifier::load`].
    pub fn classifier(&self) -> Result<Classifier, Error> {
        let [config, weights, tokenizer] = self.contents()?;
        let files = Files {
            config,
            weights,
            tokenizer,
        };
        Classifier::new(Bundle::new(&self.path, files)?, Level::best())
    }

    fn contents(&self) -> Result<[Vec<u8>; NAMES.len()], Error> {
        let io = |error| Error::io(&self.path, error);
        let mut file = &self.file;
        let start = self.sizes[0] + MARK as u64;
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        let mut contents = [const { Vec::new() }; NAMES.len()];
        for (content, &size) in contents.iter_mut().zip(&self.sizes[1..]) {
            // The sizes are no more than the file's length.
            content.reserve_exact(size as usize);
            file.take(size).read_to_end(content).map_err(io)?;
        }
        if digest(&self.sizes, &contents[0]) != self.digest {
            return Err(refusal(&self.path));
        }
        let [config, weights, tokenizer] = contents;
        let tokenizer = expanded(&tokenizer).ok_or_else(|| refusal(&self.path))?;
        Ok([config, weights, tokenizer])
    }

    /// The names of the bundle's files, and how many bytes of the program each takes.
    pub fn sizes(&self) -> BTreeMap<String, u64> {
        let names = NAMES.iter().map(|name| (*name).to_owned());
        names.zip(self.sizes[1..].iter().copied()).collect()
    }
}

/// Writes the program that runs, with the bundle in `folder`, into the file `output`, which appears
/// when it is complete; a bundle that is in the program already is left out. Returns its size.
///
/// # Errors
///
/// Where the bundle is not sound, or the file cannot be written.
pub fn pack(folder: &Path, output: &Path) -> Result<u64, Error> {
    let files = Files::read(folder)?;
    let tokenizer = block::compress_prepend_size(&files.tokenizer);
    let contents = [files.config.clone(), files.weights.clone(), tokenizer];
    Classifier::new(Bundle::new(folder, files)?, Level::best())?;
    let (path, mut file) = running()?;
    let io = |error| Error::io(&path, error);
    let mut program = Vec::new();
    file.read_to_end(&mut program).map_err(io)?;
    if let Some(packed) = Program::read(path.clone(), file)? {
        program.truncate(packed.sizes[0] as usize);
    }
    let content = joined(program, &contents);
    write(output, &content).map_err(|source| Error::Write {
        path: output.to_owned(),
        source,
    })?;
    Ok(content.len() as u64)
}

/// A program's file with a bundle's files behind it.
fn joined(program: Vec<u8>, contents: &[Vec<u8>; NAMES.len()]) -> Vec<u8> {
    let [first_mark, last_mark] = marks();
    let mut sizes = [program.len() as u64; 1 + NAMES.len()];
    for (size, content) in sizes[1..].iter_mut().zip(contents) {
        *size = content.len() as u64;
    }
    let mut joined = program;
    joined.extend(first_mark);
    joined.extend(contents.iter().flatten());
    joined.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    joined.extend(digest(&sizes, &contents[0]));
    joined.extend(last_mark);
    joined
}

fn digest(sizes: &[u64], config: &[u8]) -> [u8; DIGEST] {
    let mut digest = Sha256::new();
    for size in sizes {
        digest.update(size.to_le_bytes());
    }
    digest.update(config);
    digest.finalize().into()
}

/// A tokenizer as it was, of which the file has half the size.
fn expanded(content: &[u8]) -> Option<Vec<u8>> {
    let size = u32::from_le_bytes(*content.first_chunk()?) as usize;
    // No input of this form expands more than that.
    let is_possible = size <= 256 * content.len();
    is_possible
        .then(|| block::decompress_size_prepended(content).ok())
        .flatten()
}

fn refusal(path: &Path) -> Error {
    Error::Altered {
        path: path.to_owned(),
        cause: "the bundle in this program was cut off or altered".into(),
    }
}

/// Writes an executable file, whole or not at all.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::other("there is a folder"));
    }
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("no name of a file"))?;
    let scratch = path.with_file_name(format!(
        ".{}.{}.tmp",
        name.to_string_lossy(),
        std::process::id()
    ));
    let written = write_executable(&scratch, content).and_then(|()| fs::rename(&scratch, path));
    if written.is_err() {
        let _ = fs::remove_file(&scratch);
    }
    written
}

fn write_executable(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o777); // less what the umask takes away
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The running program's file. On Linux it is there even where it was replaced in the meantime.
fn running() -> Result<(PathBuf, File), Error> {
    let unknown = Path::new("this program");
    let path = env::current_exe().map_err(|error| Error::io(unknown, error))?;
    let link = Path::new("/proc/self/exe");
    let file = File::open(link).or_else(|_| File::open(&path));
    let file = file.map_err(|error| Error::io(&path, error))?;
    Ok((path, file))
}

/// Whether a mark stands anywhere in a file.
fn find(file: &mut File, mark: &[u8]) -> io::Result<bool> {
    let mut content = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut content)?;
    Ok(content.windows(mark.len()).any(|window| window == mark))
}
