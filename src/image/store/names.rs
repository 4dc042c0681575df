//! The names of images.

use crate::image::ImageError;

/// The longest name: it becomes a file's name.
const LONGEST: usize = 100;

/// Refuses a name that would not be a plain file name, or would be taken for a path.
pub(in super::super) fn check_name(name: &str) -> Result<(), ImageError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let why = if name.is_empty() || name.len() > LONGEST {
        format!("a name has 1 to {LONGEST} characters")
    } else if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        "a name starts with a letter or a digit".to_owned()
    } else if let Some(odd) = name.chars().find(|letter| !plain(*letter)) {
        format!("{odd:?} is not a letter, a digit, `-`, `_` or `.`")
    } else {
        return Ok(());
    };
    Err(ImageError::Name { name: name.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["base", "debian-12", "a.b_c", "7"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".x", "a/b", "a b", "-x", "a\0", "é", &"x".repeat(101)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
