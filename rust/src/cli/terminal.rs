//! Asks a person at a terminal for reviews, in Korean or English, and answers.

use std::env;
use std::io::{self, BufRead, Write, stdin, stdout};

use nsmc::{Classifier, harmless};

use super::answers::is_blank;

const QUIT_WORDS: [&str; 3] = ["q", "exit", "quit"];

/// What is said in a language; a bundle with any other label answers with its own labels.
struct Words {
    prompt: &'static str,
    positive: &'static str,
    negative: &'static str,
}

const KOREAN: Words = Words {
    prompt: "영화 리뷰를 입력하세요: ",
    positive: "긍정적인 리뷰",
    negative: "부정적인 리뷰",
};

const ENGLISH: Words = Words {
    prompt: "Enter a review (q to quit): ",
    positive: "positive review",
    negative: "negative review",
};

/// Asks until the user quits, or the input ends.
pub(super) fn converse(classifier: &Classifier) -> io::Result<()> {
    let words = words(|name| env::var(name).ok());
    let labels = &classifier.config().labels;
    let has_words = labels
        .iter()
        .all(|label| label == "positive" || label == "negative");
    let mut line = Vec::new();
    loop {
        print!("{}", words.prompt);
        stdout().flush()?;
        line.clear();
        if stdin().lock().read_until(b'\n', &mut line)? == 0 {
            println!();
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if QUIT_WORDS.contains(&text.to_lowercase().as_str()) {
            return Ok(());
        }
        if is_blank(text) {
            continue;
        }
        let answer = classifier.classify(text);
        let said = match answer.label {
            "positive" if has_words => words.positive,
            "negative" if has_words => words.negative,
            label => label,
        };
        println!("{} ({:.1}%)", harmless(said), 100.0 * answer.probability);
    }
}

/// In Korean where the locale is, which the first of these variables that is not empty names.
fn words(variable: impl Fn(&str) -> Option<String>) -> &'static Words {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty());
    match locale {
        Some(locale) if locale.starts_with("ko") => &KOREAN,
        _ => &ENGLISH,
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_first_variable_that_is_not_empty_names_the_language() {
        let prompt = |values: [&'static str; 3]| {
            words(|name| {
                let index = ["LC_ALL", "LC_MESSAGES", "LANG"]
                    .iter()
                    .position(|n| *n == name);
                Some(values[index.unwrap()].to_owned())
            })
            .prompt
        };
        assert!(prompt(["", "", "ko_KR.UTF-8"]).starts_with("영화"));
        assert!(prompt(["", "ko", "en_US.UTF-8"]).starts_with("영화"));
        assert!(prompt(["C", "ko", "ko_KR.UTF-8"]).starts_with("Enter"));
        assert!(prompt(["", "", ""]).starts_with("Enter"));
    }
}
