//! Bundles are read and answer as Python's test vectors say, or are refused in one line.

mod common;

use std::fs;

use common::{BUNDLES, Files, Folder, data, files, json, resealed, with};
use nsmc::{Classifier, Error};
use serde_json::{Value, json as value};

fn read(files: &Files) -> Result<Classifier, Error> {
    let [config, weights, tokenizer] = common::FILES.map(|name| files[name].clone());
    Classifier::from_bytes(config, weights, tokenizer)
}

fn refusal(files: &Files) -> String {
    let line = read(files).err().expect("it is refused").to_string();
    assert!(!line.contains('\n'), "{line:?} is not one line");
    line
}

#[test]
fn ids_and_logits_are_those_of_the_test_vectors() {
    for name in BUNDLES {
        let classifier = Classifier::load(data(name)).unwrap();
        let content = fs::read(data(name).join("test_vectors.json")).unwrap();
        let content: Value = serde_json::from_slice(&content).unwrap();
        let vectors = content["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 14); // those of bundles that were made before
        for vector in vectors {
            let text = vector["text"].as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(vector["ids"].clone()).unwrap();
            assert_eq!(classifier.token_ids(text), ids, "{name}: {text}");
            let logits: Vec<f32> = serde_json::from_value(vector["logits"].clone()).unwrap();
            for (ours, theirs) in classifier.logits(&ids).iter().zip(&logits) {
                assert!(
                    (ours - theirs).abs() < 1e-5,
                    "{name}: {text}: {ours} and {theirs}"
                );
            }
        }
    }
}

#[test]
fn answers_are_the_same_alone_and_among_others_on_any_number_of_threads() {
    let texts: Vec<String> = (0..3_000)
        .map(|n| "정말 재미있는 영화 ".repeat(n % 17) + &n.to_string())
        .collect();
    for name in BUNDLES {
        let classifier = Classifier::load(data(name)).unwrap();
        let alone: Vec<_> = texts.iter().map(|text| classifier.classify(text)).collect();
        for threads in [0, 1, 3] {
            assert!(
                classifier.classify_many(&texts, threads) == alone,
                "{name}, {threads}"
            );
        }
        assert!(classifier.classify_many::<String>(&[], 2).is_empty());
    }
}

#[test]
fn probabilities_add_up_and_a_text_without_tokens_gets_the_answer_of_the_bias() {
    for name in BUNDLES {
        let classifier = Classifier::load(data(name)).unwrap();
        let answer = classifier.classify(" \n");
        assert_eq!(answer.logits(), classifier.logits(&[]));
        let probabilities = answer.probabilities();
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let greatest = probabilities.iter().copied().fold(0.0, f64::max);
        assert!((greatest - answer.probability).abs() < 1e-12);
    }
}

#[test]
fn the_ids_of_a_long_text_are_those_of_its_beginning() {
    let classifier = Classifier::load(data("tiny")).unwrap();
    let word = "가나다라마바사 ";
    let whole = classifier.token_ids(&word.repeat(100_000));
    assert_eq!(whole.len(), classifier.config().max_length);
    assert_eq!(whole, classifier.token_ids(&word.repeat(100)));
    // White space at the start takes no tokens, however much there is.
    let late = " ".repeat(10_000) + "좋아요";
    assert_eq!(classifier.token_ids(&late), classifier.token_ids("좋아요"));
}

#[test]
fn a_classifier_is_shared_by_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Classifier>();
}

#[test]
fn settings_that_are_not_known_are_refused_by_name() {
    let sound = files("tiny");
    for (key, wrong, expected) in [
        ("format", value!("other"), "no \"format\": \"nsmc-bundle\""),
        (
            "format_version",
            value!(2),
            "format_version 2; this program reads 1",
        ),
        (
            "format_version",
            value!(1.0),
            "format_version 1.0; this program reads 1",
        ),
        (
            "architecture",
            value!("rnn"),
            "architecture is 'rnn'; expected gru, lstm, cnn",
        ),
        (
            "hidden_size",
            value!(0),
            "hidden_size is 0; expected a whole number from 1 to 65,536",
        ),
        (
            "num_layers",
            value!(65),
            "num_layers is 65; expected a whole number from 1 to 64",
        ),
        (
            "bidirectional",
            value!(1),
            "bidirectional is 1; expected true or false",
        ),
        (
            "vocab_size",
            value!(true),
            "vocab_size is true; expected a positive integer up to",
        ),
        (
            "max_length",
            value!(65_537),
            "max_length is 65537; expected a positive integer up to 65,536",
        ),
        ("pad_id", value!(1), "pad_id is 1; expected 0"),
        (
            "pooling",
            value!("sum"),
            "pooling is 'sum'; expected last, mean, max, max_mean, attention",
        ),
        (
            "labels",
            value!(["a", "a"]),
            "two to 32,767 different names that can be printed",
        ),
        (
            "labels",
            value!(["a", "\u{1b}[2J"]),
            "two to 32,767 different names",
        ),
        (
            "dtype",
            value!("int4"),
            "dtype is 'int4'; expected float32 or float16 or int8",
        ),
        (
            "metrics",
            value!({"a": "b"}),
            "metrics is {\"a\":\"b\"}; expected a table of numbers",
        ),
        ("sha256", value!(null), "sha256 is null; expected a table"),
        (
            "confidence",
            value!({"temperature": 0}),
            "temperature is 0; expected a number from 0.05 to 20.0",
        ),
    ] {
        let line = refusal(&with(&sound, key, wrong));
        assert!(
            line.starts_with("config.json: ") && line.contains(expected),
            "{line}"
        );
    }
    let cnn = files("tiny-cnn");
    for wrong in [
        value!([]),
        value!([3, 2]),
        value!([2, 2]),
        value!([0]),
        value!([65]),
        value!(2),
    ] {
        let line = refusal(&with(&cnn, "filter_widths", wrong));
        assert!(
            line.contains("expected a list of ascending whole numbers from 1 to 64"),
            "{line}"
        );
    }
}

#[test]
fn what_later_versions_add_and_how_the_corpus_was_read_are_ignored() {
    let sound = with(&files("tiny"), "reading", value!({"format": "csv"}));
    assert!(read(&with(&sound, "from the future", value!([1]))).is_ok());
}

#[test]
fn the_first_bundles_call_the_architecture_cell() {
    let mut config = json(&files("tiny"), "config.json");
    let architecture = config
        .as_object_mut()
        .unwrap()
        .remove("architecture")
        .unwrap();
    config["cell"] = architecture;
    let mut old = files("tiny");
    old.insert("config.json", config.to_string().into_bytes());
    assert!(read(&old).is_ok());
}

#[test]
fn a_pretrained_encoder_classifies_nothing() {
    let mut encoder = with(&files("tiny"), "labels", value!([]));
    let line = refusal(&encoder);
    assert!(line.contains("'ln1.bias' does not belong there"), "{line}");
    let weights = &files("tiny")["nsmc.safetensors"];
    let tensors = safetensors::SafeTensors::deserialize(weights).unwrap();
    let kept = tensors
        .tensors()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("ln1"));
    encoder.insert(
        "nsmc.safetensors",
        safetensors::serialize(kept, None).unwrap(),
    );
    assert!(refusal(&resealed(&encoder)).starts_with("a pretrained encoder classifies nothing"));
}

#[test]
fn altered_files_are_refused() {
    for name in ["nsmc.safetensors", "tokenizer.json"] {
        let mut altered = files("tiny");
        altered.get_mut(name).unwrap().push(b' ');
        let expected = format!("{name}: altered; its SHA-256 is not the one in config.json");
        assert_eq!(refusal(&altered), expected);
    }
}

#[test]
fn weights_that_are_not_numbers_or_not_those_of_the_configuration_are_refused() {
    let sound = files("tiny");
    let mut odd = sound.clone();
    let weights = odd.get_mut("nsmc.safetensors").unwrap();
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let line = refusal(&resealed(&odd));
    assert!(
        line.ends_with("has values that are not finite or too large"),
        "{line}"
    );
    let line = refusal(&with(&sound, "hidden_size", value!(8)));
    assert!(line.contains("config.json calls for F32 [24]"), "{line}");
    let line = refusal(&with(&sound, "num_layers", value!(2)));
    assert!(line.ends_with("is missing"), "{line}");
    let line = refusal(&with(&sound, "dtype", value!("float16")));
    assert!(line.contains("calls for F16"), "{line}");
    let giant = with(&sound, "vocab_size", value!(i32::MAX));
    assert!(refusal(&giant).ends_with("GB of memory to use"));
}

/// The line about a tokenizer that is changed, and sealed again.
fn tokenizer_refusal(change: impl Fn(&mut Value)) -> String {
    let mut changed = files("tiny");
    let mut tokenizer = json(&changed, "tokenizer.json");
    change(&mut tokenizer);
    changed.insert("tokenizer.json", tokenizer.to_string().into_bytes());
    refusal(&resealed(&changed))
}

#[test]
fn tokenizers_of_another_kind_are_refused() {
    type Change = fn(&mut Value);
    let replace =
        |content: &str| value!({"type": "Replace", "pattern": {"String": "a"}, "content": content});
    let cases: [(Change, &str); 16] = [
        (
            |t| t["model"]["type"] = value!("Unigram"),
            "not a plain BPE model",
        ),
        (
            |t| t["model"]["dropout"] = value!(0.1),
            "not a plain BPE model",
        ),
        (
            |t| t["model"]["byte_fallback"] = value!(true),
            "not a plain BPE model",
        ),
        (
            |t| t["model"]["unk_token"] = value!("<unk>"),
            "has affixes, unknown tokens",
        ),
        (
            |t| t["post_processor"] = value!({}),
            "has affixes, unknown tokens or a post-processor",
        ),
        (
            |t| t["model"]["vocab"]["<pad>"] = value!(1),
            "<pad> is not id 0",
        ),
        (
            |t| t["added_tokens"] = value!([{}]),
            "<pad> is not id 0, or there are added tokens",
        ),
        (
            |t| t["pre_tokenizer"]["use_regex"] = value!(false),
            "not byte-level words",
        ),
        (
            |t| {
                let vocab = t["model"]["vocab"].as_object_mut().unwrap();
                let id = vocab.remove("\u{143}").unwrap();
                vocab.insert("zzz".into(), id);
            },
            "1 bytes have no token",
        ),
        (
            |t| t["normalizer"] = value!({"type": "Nmt"}),
            "unknown variant `Nmt`",
        ),
        (
            |t| {
                t["normalizer"] =
                    value!({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""})
            },
            "missing field `String`",
        ),
        (
            |t| t["model"]["vocab"]["!"] = value!(2),
            "two tokens have id 2",
        ),
        (
            |t| t["model"]["vocab"]["!"] = value!(u32::MAX),
            "ids up to 4294967295; config.json calls for",
        ),
        (
            |t| t["model"]["vocab"]["영"] = value!(3),
            "tokens with ids up to",
        ),
        (|t| t["model"]["merges"] = value!(["zz zz"]), "`zz`"),
        (
            |t| t["model"]["merges"] = value!(["a b c"]),
            "a merge that is not of two tokens",
        ),
    ];
    for (change, expected) in cases {
        let line = tokenizer_refusal(change);
        assert!(
            line.starts_with("tokenizer.json: ") && line.contains(expected),
            "{line}"
        );
    }
    let line = tokenizer_refusal(|t| t["normalizer"] = replace(&"a".repeat(9)));
    assert!(
        line.contains("normalizers that make a text 9 times as long"),
        "{line}"
    );
    let mut nested = value!({"type": "NFC"});
    for _ in 0..5 {
        nested = value!({"type": "Sequence", "normalizers": [nested]});
    }
    let line = tokenizer_refusal(|t| t["normalizer"] = nested.clone());
    assert!(line.contains("normalizers nested too deeply"), "{line}");
}

#[test]
fn padding_and_truncation_of_the_tokenizer_do_not_act() {
    let classifier = Classifier::load(data("tiny")).unwrap();
    let mut changed = files("tiny");
    let mut tokenizer = json(&changed, "tokenizer.json");
    tokenizer["truncation"] =
        value!({"direction": "Left", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    tokenizer["padding"] = value!({"strategy": {"Fixed": 50}, "direction": "Right",
        "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"});
    changed.insert("tokenizer.json", tokenizer.to_string().into_bytes());
    let other = read(&resealed(&changed)).unwrap();
    for text in ["정말 재미없는 영화", "a", ""] {
        assert_eq!(other.token_ids(text), classifier.token_ids(text));
    }
}

#[test]
fn merges_may_be_pairs_as_later_releases_write_them() {
    let mut changed = files("tiny");
    let mut tokenizer = json(&changed, "tokenizer.json");
    for merge in tokenizer["model"]["merges"].as_array_mut().unwrap() {
        let parts: Vec<String> = merge
            .as_str()
            .unwrap()
            .split(' ')
            .map(str::to_owned)
            .collect();
        *merge = value!(parts);
    }
    changed.insert("tokenizer.json", tokenizer.to_string().into_bytes());
    let (old, new) = (
        read(&files("tiny")).unwrap(),
        read(&resealed(&changed)).unwrap(),
    );
    let text = "이 영화 정말 최고예요 good movie";
    assert_eq!(old.token_ids(text), new.token_ids(text));
}

#[test]
fn folders_that_are_no_bundles_are_refused() {
    let folder = Folder::new();
    let path = folder.0.clone();
    let line = || Classifier::load(&path).err().unwrap().to_string();
    assert!(line().ends_with("not a bundle, config.json is missing"));
    folder.write(&files("tiny"));
    assert!(Classifier::load(&path).is_ok());
    fs::remove_file(path.join("tokenizer.json")).unwrap();
    fs::create_dir(path.join("tokenizer.json")).unwrap();
    assert!(line().ends_with("not a bundle, tokenizer.json is not a regular file"));
    fs::remove_dir(path.join("tokenizer.json")).unwrap();
    let file = fs::File::create(path.join("tokenizer.json")).unwrap();
    file.set_len(1 << 40).unwrap(); // a hole, which takes no room
    assert!(
        line().contains("1,099,511,627,776 bytes; at most "),
        "{}",
        line()
    );
}
