//! Seconds for reviews one by one and together, for `make bench BENCH=rust`.
//!
//! `speed BUNDLE`: each line of standard input is a JSON list of reviews; it is answered with a JSON
//! list of the seconds that each took alone, or, where there are more than one thousand, with the
//! seconds that all took together on one thread.

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, stdin};
use std::time::Instant;

use nsmc::Classifier;

const MOST_ALONE: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: speed BUNDLE")?;
    let classifier = Classifier::load(folder)?;
    for line in stdin().lock().lines() {
        let texts: Vec<String> = serde_json::from_str(&line?)?;
        let seconds = if texts.len() > MOST_ALONE {
            let start = Instant::now();
            black_box(classifier.classify_many(&texts, 1));
            vec![start.elapsed().as_secs_f64()]
        } else {
            let alone = |text: &String| {
                let start = Instant::now();
                black_box(classifier.classify(text));
                start.elapsed().as_secs_f64()
            };
            texts.iter().map(alone).collect()
        };
        println!("{}", serde_json::to_string(&seconds)?);
    }
    Ok(())
}
