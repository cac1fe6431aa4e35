//! Ids and logits of texts, to compare with another program's.
//!
//! Reads lines of JSON: a bundle's folder, then texts. Answers each text with `[[id, …], [logit, …]]`.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};

use nsmc::Classifier;

fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = stdin().lock().lines();
    let folder: String = serde_json::from_str(&lines.next().ok_or("no folder")??)?;
    let texts = lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<Result<Vec<String>, Box<dyn Error>>>()?;
    let classifier = Classifier::load(folder)?;
    let mut out = stdout().lock();
    for (text, answer) in texts.iter().zip(classifier.classify_many(&texts, 1)) {
        let alone = classifier.classify(text);
        assert_eq!(alone, answer, "alone and among others");
        let pair = (classifier.token_ids(text), answer.logits());
        writeln!(out, "{}", serde_json::to_string(&pair)?)?;
    }
    Ok(())
}
