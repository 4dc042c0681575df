//! Releases, as `uname -r` prints them.

use std::cmp::Ordering;

/// The longest release (`__NEW_UTS_LEN`).
const LONGEST: usize = 64;

/// The first word of a text, if it can be a release.
pub(super) fn first_word(text: &[u8]) -> Option<String> {
    let end = text.iter().take(LONGEST + 1).position(|byte| byte.is_ascii_whitespace() || *byte == 0)?;
    let word = std::str::from_utf8(&text[..end]).ok()?;
    is_release(word).then(|| word.to_owned())
}

/// Whether a word begins as a release does, and can be part of a path.
pub(super) fn is_release(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.len() <= LONGEST
        && word.chars().all(|c| c.is_ascii_graphic() && c != '/')
}

/// Compares texts as people number versions: `6.9` comes before `6.12`.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (one, rest_one) = part(left);
        let (other, rest_other) = part(right);
        // Without leading zeros the longer number is the larger one; of what is no number, a part is a single character.
        let are_numbers = is_number(one) && is_number(other);
        let ordering = if are_numbers { one.len().cmp(&other.len()) } else { Ordering::Equal };
        let ordering = ordering.then_with(|| one.cmp(other));
        if ordering.is_ne() || left.is_empty() {
            return ordering;
        }
        (left, right) = (rest_one, rest_other);
    }
}

/// The number that a text begins with, without leading zeros, or else its first character; and what follows.
fn part(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let first = text.chars().next().map_or(0, char::len_utf8);
    let (part, rest) = text.split_at(digits.max(first));
    let number = part.trim_start_matches('0');
    // Of a number that is only zeros one is left.
    (if number.is_empty() && !part.is_empty() { &part[part.len() - 1..] } else { number }, rest)
}

fn is_number(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_their_order() {
        let check = |left, right| {
            assert_eq!(compare(left, right), Ordering::Less, "{left} {right}");
            assert_eq!(compare(right, left), Ordering::Greater, "{right} {left}");
        };
        check("6.9", "6.12");
        check("linux-5.10.0-46", "linux-6.1.0-5");
        check("6.1.0-55-amd64", "6.1.0-56-amd64");
        check("6.1", "6.1.1");
        check("a", "b");
        check("6.0", "6.1");
        check("6.1-", "6.1-é");
        check("", "0");
        assert_eq!(compare("6.01", "6.1"), Ordering::Equal);
    }

    #[test]
    fn a_release_is_a_word() {
        let check = |text: &[u8], expected: Option<&str>| assert_eq!(first_word(text).as_deref(), expected);
        check(b"6.1.0-56-amd64 (x@y) #1\0", Some("6.1.0-56-amd64"));
        check(b"7.2.13+deb14\0", Some("7.2.13+deb14"));
        check(b"../../etc \0", None);
        check(b"6.1/../x \0", None);
        check(b"6.1", None);
        check(&[b'6'; 100], None);
        check(b"", None);
    }
}
