//! Bundles that somebody else wrote: any file of them altered. Each is refused in one line, or
//! answers, soon and in little memory.
//!
//! `NSMC_MUTANTS` is how many, by default 10,000.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{BUNDLES, FILES, Files, files, json, resealed};
use nsmc::Classifier;
use serde_json::{Map, Value, json as value};

const PATIENCE: Duration = Duration::from_secs(60); // a busy machine has much to do
const MOST_MEMORY: usize = 300 << 20; // bytes

/// Knows how much memory is in use, and was at most.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(used, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Numbers that are the same each time (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

fn odd_value(random: &mut Random) -> Value {
    let values = [
        value!(null),
        value!(true),
        value!(-1),
        value!(0),
        value!(1),
        value!(2),
        value!(65),
        value!(65_536),
        value!(65_537),
        value!(i32::MAX),
        value!(u32::MAX),
        value!(u64::MAX),
        value!(0.5),
        value!(1e308),
        value!(""),
        value!("gru"),
        value!("lstm"),
        value!("cnn"),
        value!("mean"),
        value!("attention"),
        value!("float16"),
        value!("int8"),
        value!("\u{1b}]0;x\u{7}"),
        value!([]),
        value!({}),
        value!([[]]),
        value!(["a", "a"]),
        value!(["a", "b"]),
        value!([1, 2]),
        value!({"a": 1e300}),
        value!({"type": "NFC"}),
        value!("x".repeat(100_000)),
    ];
    values[random.below(values.len())].clone()
}

/// A value with something in it removed, doubled or replaced.
fn changed(old: &Value, random: &mut Random) -> Value {
    match old {
        Value::Object(entries) if !entries.is_empty() => {
            let mut entries: Map<String, Value> = entries.clone();
            let key = entries
                .keys()
                .nth(random.below(entries.len()))
                .unwrap()
                .clone();
            match random.below(6) {
                0 => drop(entries.remove(&key)),
                1 => drop(entries.insert(key, odd_value(random))),
                2 => {
                    let value = entries.remove(&key).unwrap();
                    entries.insert(format!("{key}Ġ"), value);
                }
                _ => {
                    let value = changed(&entries[&key], random);
                    entries.insert(key, value);
                }
            }
            Value::Object(entries)
        }
        Value::Array(items) if !items.is_empty() && random.below(10) > 0 => {
            let mut items = items.clone();
            let (index, other) = (random.below(items.len()), random.below(items.len()));
            match random.below(4) {
                0 => drop(items.remove(index)),
                1 => items.swap(index, other),
                2 => items.push(items[index].clone()),
                _ => items[index] = changed(&items[index], random),
            }
            Value::Array(items)
        }
        _ => odd_value(random),
    }
}

fn altered_bytes(content: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(8) {
        let index = random.below(content.len().min(1_000));
        content[index] = random.below(256) as u8;
    }
    if random.below(2) == 0 {
        content.truncate(random.below(content.len()));
    }
}

fn normalizer(depth: usize, random: &mut Random) -> Value {
    let kinds = [
        "NFC",
        "NFKD",
        "Strip",
        "Lowercase",
        "Replace",
        "Sequence",
        "Nmt",
    ];
    match kinds[random.below(kinds.len())] {
        "Sequence" if depth > 0 => {
            let each: Vec<Value> = (0..3).map(|_| normalizer(depth - 1, random)).collect();
            value!({"type": "Sequence", "normalizers": each})
        }
        "Replace" => {
            let content = "a".repeat(random.below(12));
            value!({"type": "Replace", "pattern": {"String": "a"}, "content": content})
        }
        "Strip" => value!({"type": "Strip", "strip_left": true, "strip_right": true}),
        kind => value!({"type": kind}),
    }
}

fn mutant(sound: &Files, random: &mut Random) -> Files {
    let mut files = sound.clone();
    let name = FILES[random.below(FILES.len())];
    match random.below(5) {
        0 => altered_bytes(files.get_mut(name).unwrap(), random),
        1 => {
            let mut tokenizer = json(&files, "tokenizer.json");
            tokenizer["normalizer"] = normalizer(random.below(7), random);
            files.insert("tokenizer.json", tokenizer.to_string().into_bytes());
        }
        2 => {
            let mut tokenizer = json(&files, "tokenizer.json");
            tokenizer["model"] = changed(&tokenizer["model"], random);
            files.insert("tokenizer.json", tokenizer.to_string().into_bytes());
        }
        _ => {
            let name = if name == "nsmc.safetensors" {
                "config.json"
            } else {
                name
            };
            let content = changed(&json(&files, name), random);
            files.insert(name, content.to_string().into_bytes());
        }
    }
    // Else the digest says it all.
    if random.below(8) > 0 {
        resealed(&files)
    } else {
        files
    }
}

#[test]
fn mutants_are_refused_in_one_line_or_answer() {
    let count: usize = std::env::var("NSMC_MUTANTS").map_or(10_000, |text| text.parse().unwrap());
    let sound: Vec<Files> = BUNDLES.iter().map(|name| files(name)).collect();
    let texts = [
        "좋아요".to_owned(),
        "a".repeat(5_000),
        "\u{1b}[2J 별로 ".repeat(300),
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut answered, mut refused) = (0, 0);
    for number in 0..count {
        let mutant = mutant(&sound[number % sound.len()], &mut random);
        let start = Instant::now();
        PEAK.store(USED.load(Ordering::Relaxed), Ordering::Relaxed);
        let [config, weights, tokenizer] = FILES.map(|name| mutant[name].clone());
        match Classifier::from_bytes(config, weights, tokenizer) {
            Ok(classifier) => {
                answered += 1;
                for answer in classifier.classify_many(&texts, 1) {
                    assert!(answer.probability.is_finite(), "mutant {number}");
                }
            }
            Err(error) => {
                refused += 1;
                assert!(
                    !error.to_string().contains('\n'),
                    "mutant {number}: {error}"
                );
            }
        }
        assert!(start.elapsed() < PATIENCE, "mutant {number}");
        assert!(
            PEAK.load(Ordering::Relaxed) < MOST_MEMORY,
            "mutant {number}"
        );
    }
    // Both kinds are among them.
    assert!(
        answered > count / 20 && refused > count / 20,
        "{answered} and {refused}"
    );
}
