//! What is printed: harmless for a terminal, whoever wrote it.

/// The text with U+FFFD for each character that harms a terminal.
///
/// A control character can clear the screen, rename the window or hide a line, and what turns the
/// order of characters around makes a line read as another one.
///
/// ```
/// assert_eq!(nsmc::harmless("good\u{1b}[2J"), "good\u{fffd}[2J");
/// ```
pub fn harmless(text: &str) -> String {
    let replaced = |char| if is_harmful(char) { '\u{fffd}' } else { char };
    text.chars().map(replaced).collect()
}

/// Controls, separators of lines and paragraphs, and what turns the direction of writing.
fn is_harmful(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a label can be told from others when it is printed: it has neither what is harmful, nor
/// white space other than spaces, nor characters that cannot be seen.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.chars().any(|char| {
        is_harmful(char)
            || (char.is_whitespace() && char != ' ')
            || matches!(char,
                '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
                | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}'..='\u{e007f}' | '\u{f0000}'..)
    })
}

/// A number with commas between thousands.
///
/// ```
/// assert_eq!(nsmc::with_commas(1_379_330), "1,379,330");
/// ```
pub fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
