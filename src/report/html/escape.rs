//! What keeps text from a sandbox from being anything but text.

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
    let marks = matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    control
        || marks
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(letter, '\u{e0000}'..='\u{e007f}')
}

/// As the text of an element, or of an attribute in quotes.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for letter in visible(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// JSON as the text of a `script` element, which ends with the first `</script` and knows no entities (HTML, 13.1.2.1): within JSON's strings, the only
/// place where they can be, these characters have another spelling.
pub(super) fn json_in_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Base64 (RFC 4648, section 4), in which a Content-Security-Policy wants its digests.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (word >> (18 - 6 * place)) & 0x3f;
            let letter = LETTERS.get(index as usize).filter(|_| place <= chunk.len());
            out.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{base64, html, json_in_script, visible};

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("a\nb\tc ✓ é 名", "a\nb\tc ✓ é 名");
        check("\u{1b}[31mred\r\0\u{7f}\u{9b}", r"\u{1b}[31mred\u{d}\u{0}\u{7f}\u{9b}");
        check("a\u{202e}b\u{2066}c\u{200b}\u{feff}", r"a\u{202e}b\u{2066}c\u{200b}\u{feff}");
    }

    #[test]
    fn markup_is_text() {
        let check = |text: &str, expected: &str| assert_eq!(html(text), expected);
        check("<b a=\"1\" c='2'>&amp;", "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;");
        check("</script><script>x", "&lt;/script&gt;&lt;script&gt;x");
    }

    #[test]
    fn data_does_not_end_its_script() {
        let text = "</script><!--<script>&\u{2028}";
        let json = json_in_script(&serde_json::to_string(text).unwrap());
        assert!(!json.contains(['<', '>', '&']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let check = |text: &str, expected: &str| assert_eq!(base64(text.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foobar", "Zm9vYmFy");
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
