//! The executable, from outside.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Folder, data, files, with};
use serde_json::{Value, json as value};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nsmc-classify");

fn command(program: impl AsRef<Path>, words: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(words).stdin(Stdio::null());
    command
}

fn tiny(words: &[&str]) -> Command {
    let bundle = data("tiny");
    command(
        PROGRAM,
        &[&["--bundle", bundle.to_str().unwrap()], words].concat(),
    )
}

/// Standard output and error and the exit code.
fn done(output: Output) -> (String, String, i32) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap(),
    )
}

fn piped(mut command: Command, input: &[u8]) -> (String, String, i32) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = done(child.wait_with_output().unwrap());
    let _ = writer.join().unwrap(); // the program may end before it has read all
    output
}

/// The one line on standard error with which it ends.
fn refusal(mut command: Command) -> (String, i32) {
    let (out, err, code) = done(command.output().unwrap());
    assert!(out.is_empty() && err.lines().count() == 1, "{out}{err}");
    (
        err.strip_prefix("nsmc-classify: error: ")
            .unwrap()
            .trim_end()
            .to_owned(),
        code,
    )
}

#[test]
fn texts_are_answered_with_label_probability_and_text() {
    let (out, err, code) = done(
        tiny(&["좋은\t영화\u{1b}[2J", " ", &"가".repeat(300)])
            .output()
            .unwrap(),
    );
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((lines.len(), err.as_str(), code), (3, "", 0));
    assert!(["negative", "positive"].contains(&lines[0][0]));
    assert!((0.5..=1.0).contains(&lines[0][1].parse::<f64>().unwrap()) && lines[0][1].len() == 6);
    assert_eq!(lines[0][2], "좋은\u{fffd}영화\u{fffd}[2J");
    assert_eq!(lines[1], ["empty", "", ""]);
    assert_eq!(lines[2][2], "가".repeat(200) + "…");
}

#[test]
fn json_has_a_line_for_each_text() {
    let (out, _, code) = done(tiny(&["--json", "--", "--json", "info"]).output().unwrap());
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((lines.len(), code), (2, 0));
    assert_eq!(
        (&lines[0]["line"], &lines[0]["document"]),
        (&value!(1), &value!("--json"))
    );
    assert_eq!(lines[1]["document"], "info");
}

#[test]
fn words_that_only_look_like_options_are_reviews() {
    let (out, _, code) = done(tiny(&["-_-", "--;;", "-"]).output().unwrap());
    assert_eq!((out.lines().count(), code), (3, 0));
}

#[test]
fn lines_of_a_pipe_are_answered_in_order_and_damaged_ones_named() {
    let mut input = String::new();
    for number in 0..30_000 {
        input += &format!("{number}번째 리뷰 {}\n", "정말 ".repeat(number % 9));
    }
    let mut bytes = input.into_bytes();
    bytes.extend(b"\n\xff\xfe\n\xeb\x81\x9d");
    let (out, err, code) = piped(tiny(&["--threads", "3"]), &bytes);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), err.as_str(), code), (30_003, "", 0));
    for (number, line) in lines[..30_000].iter().enumerate() {
        assert!(line.contains(&format!("\t{number}번째 ")), "{line}");
    }
    assert_eq!(lines[30_000], "empty\t\t");
    assert_eq!(lines[30_001], "error\t\tline 30002: not UTF-8");
    assert!(lines[30_002].ends_with("\t끝"));
}

#[test]
fn the_exit_code_says_that_too_many_lines_are_damaged() {
    let (out, err, code) = piped(tiny(&["--json"]), b"good\n\xff\n");
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "nsmc-classify: error: 1 of 2 rows cannot be read (line 2: not UTF-8)\n"
    );
    assert_eq!(
        out.lines().last().unwrap(),
        r#"{"line":2,"error":"not UTF-8"}"#
    );
}

#[test]
fn an_answer_does_not_wait_for_the_next_line() {
    let mut child = tiny(&[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for text in ["첫째", "둘째", "셋째"] {
        writeln!(stdin, "{text}").unwrap();
        assert!(answers.next().unwrap().unwrap().ends_with(text));
    }
    drop(stdin);
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_no_text_is_refused_before_any_answer() {
    for (content, expected) in [
        (&b"PK\x03\x04..."[..], "an Excel workbook or a zip archive"),
        (b"\x1f\x8b\x08...", "a gzip file; unpack it first"),
        (b"\xff\xfea\0b\0\n\0", "looks like utf-16"),
        (b"a\0b\n", "its first line has NUL bytes"),
    ] {
        let (out, err, code) = piped(tiny(&[]), content);
        assert!(
            out.is_empty() && err.contains(expected) && code == 1,
            "{err}"
        );
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let input = "정말 재미있는 영화\n".repeat(200_000);
    let mut child = tiny(&[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    let _ = writer.join().unwrap();
}

#[test]
fn mistakes_end_in_one_line() {
    let bundle = data("tiny");
    let bundle = bundle.to_str().unwrap();
    for (words, expected, expected_code) in [
        (vec!["좋아요"], "there is no bundle in this program", 1),
        (
            vec!["--bundle", "nowhere", "좋아요"],
            "nowhere: no such folder; a bundle is a folder",
            1,
        ),
        (vec!["--bundle"], "--bundle: expected a value", 2),
        (
            vec!["--bundel", bundle],
            "--bundel: no such option; did you mean --bundle?",
            1,
        ),
        (
            vec!["--qqq"],
            "--qqq: no such option; -- goes before a review that begins so",
            1,
        ),
        (
            vec!["--threads", "0"],
            "--threads: 0 is no whole number from 1 on",
            2,
        ),
        (vec![bundle, "좋아요"], "a bundle is named with --bundle", 1),
        (
            vec!["reviews.tsv"],
            "reviews.tsv: a file of reviews is read from a pipe",
            1,
        ),
        (
            vec!["pack", bundle],
            "pack: expected the bundle's folder and -o FILE",
            1,
        ),
        (
            vec!["info", bundle],
            "info: a bundle is named with --bundle FOLDER",
            1,
        ),
        (
            vec!["pack", "nowhere", "-o", "x"],
            "nowhere: no such folder",
            1,
        ),
        (vec!["pack", bundle, "-o", bundle], "cannot write", 1),
    ] {
        let (line, code) = refusal(command(PROGRAM, &words));
        assert!(line.contains(expected), "{words:?}: {line}");
        assert_eq!(code, expected_code, "{words:?}");
    }
}

#[test]
fn help_version_and_info_say_what_there_is() {
    let (out, _, code) = done(command(PROGRAM, &["--help"]).output().unwrap());
    assert!(out.starts_with("usage: nsmc-classify") && code == 0);
    let (out, _, code) = done(command(PROGRAM, &["--version"]).output().unwrap());
    assert_eq!(
        (out, code),
        (format!("nsmc-classify {}\n", env!("CARGO_PKG_VERSION")), 0)
    );
    let bundle = data("tiny-lstm");
    let words = ["info", "--bundle", bundle.to_str().unwrap()];
    let (out, _, _) = done(command(PROGRAM, &words).output().unwrap());
    assert!(out.contains("LSTM 5, 2 layer(s), both directions, embedding 5, attention pooling"));
    assert!(out.contains("answers       bad, so so, good\n"));
    let words = [&words[..], &["--json"]].concat();
    let (out, _, _) = done(command(PROGRAM, &words).output().unwrap());
    let content: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(content["labels"], value!(["bad", "so so", "good"]));
    assert_eq!(content["network"]["num_layers"], 2);
}

#[test]
fn a_packed_program_answers_packs_others_and_is_refused_when_cut_or_altered() {
    let folder = Folder::new();
    let path = |name: &str| folder.0.join(name);
    let pack = |program: &Path, bundle: &str, name: &str| {
        let (bundle, output) = (data(bundle), path(name));
        let words = [
            "pack",
            bundle.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ];
        let (_, err, code) = done(command(program, &words).output().unwrap());
        assert_eq!((err.as_str(), code), ("", 0));
        output
    };
    let answer = |program: &Path| done(command(program, &["좋은 영화"]).output().unwrap()).0;
    let first = pack(Path::new(PROGRAM), "tiny", "first");
    assert_eq!(
        answer(&first),
        done(tiny(&["좋은 영화"]).output().unwrap()).0
    );
    let (out, _, _) = done(command(&first, &["info"]).output().unwrap());
    assert!(out.contains("in this program") && out.contains("GRU 7, 1 layer(s)"));
    // It packs another bundle, over itself too, and nothing of its own stays.
    let second = pack(&first, "tiny-lstm", "first");
    let direct = pack(Path::new(PROGRAM), "tiny-lstm", "direct");
    assert!(fs::read(&second).unwrap() == fs::read(&direct).unwrap());
    assert!(answer(&second).contains("좋은 영화"));

    let whole = fs::read(&direct).unwrap();
    let program = fs::metadata(PROGRAM).unwrap().len() as usize;
    for end in [
        whole.len() - 1,
        whole.len() - 200,
        program + 1_000,
        program + 16,
    ] {
        fs::write(&direct, &whole[..end]).unwrap();
        assert!(
            refusal(command(&direct, &["좋은 영화"]))
                .0
                .contains("cut off or altered"),
            "{end}"
        );
    }
    for place in [
        program + 20,
        program + 1_500,
        program + 9_000,
        whole.len() - 100,
        whole.len() - 50,
    ] {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        fs::write(&direct, &altered).unwrap();
        let mut command = command(&direct, &["좋은 영화"]);
        let (out, err, code) = done(command.output().unwrap());
        let is_refused = code == 1 && out.is_empty() && err.lines().count() == 1;
        assert!(is_refused, "{place}: {out}{err}");
    }
}

#[test]
fn a_run_s_folder_is_taken_for_its_bundle_and_hostile_labels_are_refused() {
    let folder = Folder::new();
    let bundle = folder.0.join("bundle");
    fs::create_dir(&bundle).unwrap();
    for (name, content) in files("tiny") {
        fs::write(bundle.join(name), content).unwrap();
    }
    let words = ["--bundle", folder.0.to_str().unwrap(), "좋아요"];
    assert_eq!(done(command(PROGRAM, &words).output().unwrap()).2, 0);
    let hostile = with(&files("tiny"), "labels", value!(["a", "\u{1b}[2J"]));
    fs::write(bundle.join("config.json"), &hostile["config.json"]).unwrap();
    let (line, code) = refusal(command(PROGRAM, &words));
    assert!(code == 1 && !line.contains('\u{1b}'), "{line}");
}
