//! The command line: what is asked for, done, and ended in one line where a user can help.

mod answers;
mod arguments;
mod info;
mod pipe;
mod terminal;

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::process::ExitCode;

use nsmc::pack::{self, Program};
use nsmc::{Classifier, harmless};

use self::arguments::{Arguments, Command};

const PROGRAM: &str = "nsmc-classify";

const HELP: &str = "\
usage: nsmc-classify [--bundle FOLDER] [--json] [TEXT ...]
       nsmc-classify info [--bundle FOLDER] [--json]
       nsmc-classify pack FOLDER -o FILE

Prints label, probability and text of each TEXT, separated by tabs. Without a TEXT, asks for reviews
on a terminal (q, exit or quit ends it), and reads a pipe line by line. Exit code 1 where more than a
tenth of the lines cannot be read.

  --bundle FOLDER  a bundle's folder or its run's; by default the bundle that was packed into this file
  --json           a line of JSON for each text
  --threads N      for a pipe (default: as many as there are cores)
  --version, --help

pack writes this program and a bundle into one file that needs nothing else. After --, texts may look
like options, and be called info or pack.";

/// Why the program fails, in one line, and its exit code.
struct Failure {
    line: String,
    code: u8,
}

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            line: error.to_string(),
            code: 1,
        }
    }
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let outcome = Arguments::parse(env::args_os().skip(1)).and_then(run);
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let line: Vec<&str> = failure.line.split_whitespace().collect();
            eprintln!("{PROGRAM}: error: {}", harmless(&line.join(" ")));
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    let written = match arguments.command {
        Command::Help => answers::print(&format!("{HELP}\n")),
        Command::Version => answers::print(&format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Info => {
            let contents = info::Contents::read(arguments.bundle.as_deref())?;
            answers::print(&contents.shown(arguments.json)?)
        }
        Command::Pack { folder, output } => {
            let size = pack::pack(&bundle_folder(&folder), &output)?;
            let megabytes = size as f64 / 1e6;
            answers::print(&format!("wrote {} ({megabytes:.1} MB)\n", output.display()))
        }
        Command::Classify { texts } => {
            // It goes with the process: to free it piece by piece would take a millisecond.
            let classifier = ManuallyDrop::new(classifier(arguments.bundle.as_deref())?);
            if !texts.is_empty() {
                answers::answer_texts(&classifier, &texts, arguments.json)
            } else if io::stdin().is_terminal() {
                terminal::converse(&classifier)
            } else {
                return pipe::answer(&classifier, arguments.json, arguments.threads);
            }
        }
    };
    match written {
        // Whoever read our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Failure::from(format!("standard output: {error}"))),
        Ok(()) => Ok(0),
    }
}

/// Of the bundle that is named, else of the one in this program.
fn classifier(bundle: Option<&Path>) -> Result<Classifier, Failure> {
    if let Some(folder) = bundle {
        return Ok(Classifier::load(bundle_folder(folder))?);
    }
    Ok(packed_program()?.classifier()?)
}

fn packed_program() -> Result<Program, Failure> {
    Program::running()?.ok_or_else(|| {
        "there is no bundle in this program: name one with --bundle FOLDER, or pack one".into()
    })
}

/// The bundle at a path, which may be a run's folder.
fn bundle_folder(path: &Path) -> std::path::PathBuf {
    let of_run = path.join("bundle");
    if !path.join("config.json").is_file() && of_run.join("config.json").is_file() {
        return of_run;
    }
    path.to_owned()
}
