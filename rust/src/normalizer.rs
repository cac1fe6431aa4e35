//! What happens to a text before it is cut into words.
//!
//! The normalizers of the crate `tokenizers` 1.0 know a newer Unicode than those of the releases
//! that Python has, and would order marks that are new in it otherwise. A bundle's ids must be those
//! that it was trained with; so these are built on the tables that the older releases use.

use std::borrow::Cow;

use unicode_normalization_alignments::UnicodeNormalization;

/// One step.
pub(crate) enum Normalizer {
    Form(Form),
    Strip { left: bool, right: bool },
    Lowercase,
    Replace { before: String, after: String },
}

/// Unicode's forms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Normalizer {
    pub(crate) fn apply<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match self {
            Self::Form(form) if form.keeps(&text) => text,
            Self::Form(form) => Cow::from(form.of(&text)),
            Self::Strip { left, right } => stripped(text, *left, *right),
            Self::Lowercase => Cow::from(
                text.chars()
                    .flat_map(char::to_lowercase)
                    .collect::<String>(),
            ),
            Self::Replace { before, .. } if !text.contains(before) => text,
            Self::Replace { before, after } => Cow::from(text.replace(before, after)),
        }
    }
}

impl Form {
    /// Whether a text certainly stays as it is: nearly all reviews do under NFC.
    fn keeps(self, text: &str) -> bool {
        text.is_ascii() || (self == Self::Nfc && text.chars().all(is_composed))
    }

    fn of(self, text: &str) -> String {
        let (mut form, chars) = (String::with_capacity(text.len()), text.chars());
        match self {
            Self::Nfc => form.extend(chars.nfc().map(|(char, _)| char)),
            Self::Nfd => form.extend(chars.nfd().map(|(char, _)| char)),
            Self::Nfkc => form.extend(chars.nfkc().map(|(char, _)| char)),
            Self::Nfkd => form.extend(chars.nfkd().map(|(char, _)| char)),
        }
        form
    }
}

/// Of some common characters: Latin letters, Hangul syllables and compatibility jamo. None of them
/// changes under NFC, and none joins another one of them.
fn is_composed(char: char) -> bool {
    matches!(char, '\0'..='\u{2ff}' | '\u{3131}'..='\u{318e}' | '\u{ac00}'..='\u{d7a3}')
}

fn stripped(text: Cow<str>, left: bool, right: bool) -> Cow<str> {
    let strip = |text: &str| {
        let start = if left {
            text.len() - text.trim_start().len()
        } else {
            0
        };
        let end = if right {
            text.trim_end().len()
        } else {
            text.len()
        };
        start..end.max(start)
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[strip(text)]),
        Cow::Owned(mut text) => {
            let kept = strip(&text);
            text.truncate(kept.end);
            text.drain(..kept.start);
            Cow::Owned(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_short_way_keeps_is_what_nfc_keeps() {
        let chars: Vec<char> = ('\0'..='\u{ffff}')
            .filter(|&char| is_composed(char))
            .collect();
        let text: String = chars.iter().collect();
        assert!(Form::Nfc.keeps(&text) && Form::Nfc.of(&text) == text);
        for first in ['a', 'é', 'ㄱ', 'ㅏ', '가', '각', '힣'] {
            for second in &chars {
                let pair = String::from_iter([first, *second]);
                assert_eq!(Form::Nfc.of(&pair), pair);
            }
        }
    }

    #[test]
    fn steps_do_what_their_names_say() {
        let apply = |normalizer: Normalizer, text: &'static str| normalizer.apply(text.into());
        let (left, right) = (true, true);
        assert_eq!(
            apply(Normalizer::Strip { left, right }, " \u{3000}a b\n"),
            "a b"
        );
        assert_eq!(apply(Normalizer::Strip { left, right: false }, " a "), "a ");
        assert_eq!(apply(Normalizer::Strip { left: false, right }, "  "), "");
        assert_eq!(apply(Normalizer::Lowercase, "ÀΣİ"), "àσi\u{307}");
        assert_eq!(
            apply(Normalizer::Form(Form::Nfc), "e\u{301}\u{1100}\u{1161}"),
            "é가"
        );
        assert_eq!(apply(Normalizer::Form(Form::Nfkc), "ﾊﾝ１"), "ハン1");
        let (before, after) = ("aa".to_owned(), "b".to_owned());
        assert_eq!(apply(Normalizer::Replace { before, after }, "aaaac"), "bbc");
    }
}
