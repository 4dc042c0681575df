//! Bytes as the text of a message: each the character of its number, so that what is plain text takes no more than itself.

/// The text.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes again. What no byte is called is passed over.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    text.chars().filter_map(|letter| u8::try_from(letter).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{bytes_of, text_of};

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&text_of(&all)), all);
        assert_eq!(bytes_of("a\u{100}b"), b"ab");
    }
}
