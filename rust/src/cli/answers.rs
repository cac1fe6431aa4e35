//! Answers as lines: label, probability and text with tabs between them, or JSON.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write, stdout};

use nsmc::{Answer, Classifier, harmless};
use serde::Serialize;

const LONGEST_ECHO: usize = 200; // characters of a review that are repeated beside its answer

/// What there is to say about a text.
pub(super) enum Said<'a> {
    Answer(Answer<'a>),
    Blank,
    Damaged(&'a str),
}

#[derive(Serialize)]
struct Object<'a> {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// Prints an answer for each text as soon as it is known.
pub(super) fn answer_texts(
    classifier: &Classifier,
    texts: &[String],
    json: bool,
) -> io::Result<()> {
    for (text, number) in texts.iter().zip(1..) {
        let said = if is_blank(text) {
            Said::Blank
        } else {
            Said::Answer(classifier.classify(text))
        };
        let mut line = String::new();
        append(&mut line, number, text, &said, json);
        print(&line)?;
    }
    Ok(())
}

/// Appends the line of an answer.
pub(super) fn append(into: &mut String, number: u64, text: &str, said: &Said, json: bool) {
    if json {
        append_json(into, number, text, said);
        return;
    }
    match said {
        Said::Answer(answer) => {
            let beginning: String = match text.char_indices().nth(LONGEST_ECHO) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text.to_owned(),
            };
            let (label, probability) = (answer.label, answer.probability);
            writeln!(into, "{label}\t{probability:.4}\t{}", harmless(&beginning))
        }
        Said::Blank => writeln!(into, "empty\t\t"),
        Said::Damaged(error) => writeln!(into, "error\t\tline {number}: {error}"),
    }
    .expect("a string takes all that is written");
}

fn append_json(into: &mut String, line: u64, text: &str, said: &Said) {
    let (label, probability, error) = match said {
        Said::Answer(answer) => (Some(answer.label), Some(rounded(answer.probability)), None),
        Said::Blank => (Some("empty"), None, None),
        Said::Damaged(error) => (None, None, Some(*error)),
    };
    let object = Object {
        line,
        label,
        probability,
        document: error.is_none().then_some(text),
        error,
    };
    into.push_str(&serde_json::to_string(&object).expect("texts and numbers are JSON"));
    into.push('\n');
}

/// To six places.
fn rounded(probability: f64) -> f64 {
    format!("{probability:.6}")
        .parse()
        .expect("a number that was written")
}

/// Whether there is nothing to classify.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|char| char.is_whitespace() || matches!(char, '\u{1c}'..='\u{1f}'))
}

/// Prints lines; a terminal obeys nothing that is in them.
pub(super) fn print(lines: &str) -> io::Result<()> {
    let mut stdout = stdout().lock();
    if stdout.is_terminal() {
        for line in lines.lines() {
            let cells: Vec<String> = line.split('\t').map(harmless).collect();
            writeln!(stdout, "{}", cells.join("\t"))?;
        }
    } else {
        stdout.write_all(lines.as_bytes())?;
    }
    stdout.flush()
}
