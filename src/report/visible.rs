//! Text that comes from a sandbox, or from who knows where, as text that can be shown.

/// The text, with what is not to be seen, or turns the order of what is read, spelled out: a terminal's escape sequences, bidirectional
/// overrides (CVE-2021-42574), zero-width characters. Lines stay lines.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

fn is_hidden(letter: char) -> bool {
    let control = letter.is_control() && !matches!(letter, '\n' | '\t');
    let marks = matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
    );
    control
        || marks
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(letter, '\u{e0000}'..='\u{e007f}')
}

/// The same in one line: what would begin another is spelled out as well.
pub(crate) fn in_one_line(text: &str) -> String {
    visible(text).replace('\n', "\\n").replace('\t', " ")
}

/// At most so many characters of a text, and how much more there is.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}\n… ({} more bytes)", &text[..end], text.len() - end),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("a\nb\tc ✓ é 名", "a\nb\tc ✓ é 名");
        check("\u{1b}[31mred\r\0\u{7f}\u{9b}", r"\u{1b}[31mred\u{d}\u{0}\u{7f}\u{9b}");
        check("a\u{202e}b\u{2066}c\u{200b}\u{feff}", r"a\u{202e}b\u{2066}c\u{200b}\u{feff}");
    }

    #[test]
    fn a_line_stays_one() {
        let check = |text: &str, expected: &str| assert_eq!(in_one_line(text), expected);
        check("a\r\nb\tc", r"a\u{d}\nb c");
        check("\u{85}\u{2028}x", r"\u{85}\u{2028}x");
    }

    #[test]
    fn what_is_cut_is_told() {
        let check = |text: &str, expected: &str| assert_eq!(cut(text, 3), expected);
        check("名前名", "名前名");
        check("名前名前", "名前名\n… (3 more bytes)");
    }
}
