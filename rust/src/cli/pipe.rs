//! Answers the lines of a pipe as they come: in order, on all cores, in memory that does not grow.
//!
//! A thread reads blocks and cuts them into whole lines, others classify them, and this one writes.
//! A line is answered as soon as it was read: what comes later is not waited for.

use std::io::{self, Read, stdin};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use nsmc::Classifier;

use super::answers::{Said, append, is_blank, print};
use super::{Failure, PROGRAM};

const BLOCK: usize = 1 << 18; // bytes that are read at a time
const LONGEST_LINE: usize = 1 << 20; // bytes: far beyond any review; what is longer is damage

const REASONS: usize = 3; // different ones that are named

/// The first bytes of what is no lines of text, and what it is.
const REFUSED: [(&[u8], &str); 7] = [
    (
        b"PK\x03\x04",
        "an Excel workbook or a zip archive; save it as CSV, or unpack it first",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
    (b"PAR1", "a Parquet file, not lines of text"),
    (b"[{", "a JSON array, not lines of text"),
    (b"\x1f\x8b", "a gzip file; unpack it first, with gunzip"),
    (
        b"\xff\xfe",
        "not UTF-8, looks like utf-16: convert it with iconv -f utf-16 -t utf-8",
    ),
    (
        b"\xfe\xff",
        "not UTF-8, looks like utf-16: convert it with iconv -f utf-16 -t utf-8",
    ),
];

const MARK: &[u8] = b"\xef\xbb\xbf"; // UTF-8's byte order mark

/// Whole lines, the first of which has this number.
struct Lines {
    first: u64,
    content: Vec<u8>,
}

/// Answered lines.
#[derive(Default)]
struct Answered {
    output: String,
    rows: u64,
    damaged: Vec<(u64, &'static str)>,
}

type Work = (Lines, SyncSender<Answered>);

/// Answers standard input; the exit code is 1 where more than a tenth of the lines is damaged.
pub(super) fn answer(
    classifier: &Classifier,
    json: bool,
    threads: Option<usize>,
) -> Result<u8, Failure> {
    let available = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.unwrap_or(available);
    let (work_in, work_out) = channel::<Work>();
    let work_out = Arc::new(Mutex::new(work_out));
    // Bounded, so that only so many blocks are in memory.
    let (order_in, order_out) = sync_channel::<Receiver<Answered>>(2 * threads);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(stdin().lock(), work_in, order_in));
        for _ in 0..threads {
            let work_out = Arc::clone(&work_out);
            scope.spawn(move || {
                loop {
                    let work = work_out.lock().expect("no holder panics").recv();
                    let Ok((lines, answered)) = work else { break };
                    // Nobody waits for it where the output has ended.
                    let _ = answered.send(answer_lines(classifier, &lines, json));
                }
            });
        }
        let mut tally = Tally::default();
        for answered in order_out {
            let answered = answered.recv().map_err(|_| "a thread has failed")?;
            if let Err(error) = print(&answered.output) {
                // The reading thread may wait for input for ever.
                std::process::exit(closed(&error));
            }
            tally.add(answered);
        }
        reading.join().map_err(|_| "a thread has failed")??;
        Ok(tally.exit_code())
    })
}

/// The exit code where nothing can be written any more: whoever read it has seen enough, or else it
/// is said why.
fn closed(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return 0;
    }
    eprintln!("{PROGRAM}: error: standard output: {error}");
    1
}

/// Cuts what is read into whole lines, for the threads that answer, until it ends.
fn read(
    mut stream: impl Read,
    work: Sender<Work>,
    order: SyncSender<Receiver<Answered>>,
) -> Result<(), Failure> {
    let mut block = vec![0; BLOCK];
    let mut pending = Vec::new();
    let (mut number, mut has_begun, mut has_line_feeds, mut is_too_long) = (1, false, true, false);
    loop {
        let count = match stream.read(&mut block) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("standard input: {error}").into()),
        };
        let read = &mut block[..count];
        if !has_begun && count > 0 {
            has_line_feeds = !read[..count - 1].contains(&b'\r') || read.contains(&b'\n');
        }
        if !has_line_feeds {
            read.iter_mut()
                .filter(|byte| **byte == b'\r')
                .for_each(|byte| *byte = b'\n');
        }
        let end = read
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |last| last + 1);
        let (whole, rest) = read.split_at(end);
        if !is_too_long || end > 0 {
            // The rest of a line that is too long is dropped.
            let skipped = if is_too_long {
                whole.iter().position(|&byte| byte == b'\n').unwrap_or(0)
            } else {
                0
            };
            pending.extend_from_slice(&whole[skipped..]);
        }
        let is_last = count == 0;
        if end > 0 || (is_last && !pending.is_empty()) {
            if !has_begun {
                refuse_binary(&pending)?;
                if pending.starts_with(MARK) {
                    pending.drain(..MARK.len());
                }
                has_begun = true;
            }
            let content = std::mem::take(&mut pending);
            let lines = Lines {
                first: number,
                content,
            };
            number += lines.count();
            let (answered_in, answered_out) = sync_channel(1);
            // The other side is there until it ends the process.
            let _ = work.send((lines, answered_in));
            let _ = order.send(answered_out);
            is_too_long = false;
        }
        if is_last {
            return Ok(());
        }
        if !is_too_long {
            pending.extend_from_slice(rest);
            is_too_long = pending.len() >= LONGEST_LINE;
            pending.truncate(LONGEST_LINE);
        }
    }
}

/// Refuses what the first line shows to be no text.
fn refuse_binary(content: &[u8]) -> Result<(), Failure> {
    for (signature, advice) in REFUSED {
        if content.starts_with(signature) {
            return Err(format!("standard input: {advice}").into());
        }
    }
    let first = content
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    if first.contains(&0) {
        return Err("standard input: not text, its first line has NUL bytes".into());
    }
    Ok(())
}

impl Lines {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let content = self.content.strip_suffix(b"\n").unwrap_or(&self.content);
        content.split(|&byte| byte == b'\n')
    }

    fn count(&self) -> u64 {
        self.iter().count() as u64
    }
}

fn answer_lines(classifier: &Classifier, lines: &Lines, json: bool) -> Answered {
    let read: Vec<Result<&str, &'static str>> = lines.iter().map(text).collect();
    let texts: Vec<&str> = read
        .iter()
        .filter_map(|line| line.ok().filter(|text| !is_blank(text)))
        .collect();
    let mut answers = classifier.classify_many(&texts, 1).into_iter();
    let mut answered = Answered::default();
    for (line, number) in read.into_iter().zip(lines.first..) {
        let (text, said) = match line {
            Err(error) => {
                answered.damaged.push((number, error));
                ("", Said::Damaged(error))
            }
            Ok(text) if is_blank(text) => (text, Said::Blank),
            Ok(text) => (
                text,
                Said::Answer(answers.next().expect("one for each text")),
            ),
        };
        append(&mut answered.output, number, text, &said, json);
        answered.rows += 1;
    }
    answered
}

/// A line's text, or what is wrong with it.
fn text(line: &[u8]) -> Result<&str, &'static str> {
    if line.len() >= LONGEST_LINE {
        return Err("longer than 1,048,576 bytes");
    }
    let text = str::from_utf8(line).map_err(|_| "not UTF-8")?;
    Ok(text.trim_end_matches('\r'))
}

/// How many lines there were, how many of them were damaged, and the first different reasons.
#[derive(Default)]
struct Tally {
    rows: u64,
    damaged: u64,
    reasons: Vec<(u64, &'static str)>,
}

impl Tally {
    fn add(&mut self, answered: Answered) {
        self.rows += answered.rows;
        self.damaged += answered.damaged.len() as u64;
        for (line, error) in answered.damaged {
            let is_new = self.reasons.iter().all(|(_, reason)| *reason != error);
            if is_new && self.reasons.len() < REASONS {
                self.reasons.push((line, error));
            }
        }
    }

    /// Where too many lines are damaged, says how many.
    fn exit_code(&self) -> u8 {
        if 10 * self.damaged <= self.rows {
            return 0;
        }
        let reasons: Vec<String> = self
            .reasons
            .iter()
            .map(|(line, error)| format!("line {line}: {error}"))
            .collect();
        let (damaged, rows) = (self.damaged, self.rows);
        let reasons = reasons.join("; ");
        eprintln!("{PROGRAM}: error: {damaged} of {rows} rows cannot be read ({reasons})");
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are read of blocks, with their numbers.
    fn read_of(blocks: &[&[u8]]) -> Vec<(u64, Vec<u8>)> {
        struct Blocks<'a>(std::collections::VecDeque<&'a [u8]>);
        impl Read for Blocks<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let Some(block) = self.0.pop_front() else {
                    return Ok(0);
                };
                into[..block.len()].copy_from_slice(block);
                Ok(block.len())
            }
        }
        let (work_in, work_out) = channel::<Work>();
        let (order_in, _order_out) = sync_channel(1_000);
        assert!(read(Blocks(blocks.iter().copied().collect()), work_in, order_in).is_ok());
        let all = work_out.into_iter().flat_map(|(lines, _)| {
            lines
                .iter()
                .map(<[u8]>::to_vec)
                .zip(lines.first..)
                .collect::<Vec<_>>()
        });
        all.map(|(line, number)| (number, line)).collect()
    }

    #[test]
    fn lines_are_whole_wherever_blocks_end() {
        let text = b"\xef\xbb\xbfone\ntwo\r\n\nfour";
        let expected = [&b"one"[..], b"two\r", b"", b"four"];
        for cut in 0..text.len() {
            let lines = read_of(
                &[&text[..cut], &text[cut..]]
                    .map(|b| b)
                    .into_iter()
                    .filter(|b| !b.is_empty())
                    .collect::<Vec<_>>(),
            );
            let numbered: Vec<(u64, Vec<u8>)> = expected
                .iter()
                .zip(1..)
                .map(|(line, n)| (n, line.to_vec()))
                .collect();
            assert_eq!(lines, numbered, "cut at {cut}");
        }
    }

    #[test]
    fn carriage_returns_alone_end_lines_where_there_are_no_line_feeds() {
        assert_eq!(read_of(&[b"a\rb\rc"]).len(), 3);
    }

    #[test]
    fn the_rest_of_a_line_that_is_too_long_is_dropped() {
        let block = vec![b'a'; BLOCK];
        let mut blocks: Vec<&[u8]> = vec![b"first\n"];
        blocks.extend(std::iter::repeat_n(block.as_slice(), 20));
        blocks.push(b"a\nlast\n");
        let lines = read_of(&blocks);
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[1].0, lines[1].1.len()), (2, LONGEST_LINE));
        assert!(text(&lines[1].1).is_err());
        assert_eq!(lines[2], (3, b"last".to_vec()));
    }
}
