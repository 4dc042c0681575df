//! Unquoted scalars that YAML readers disagree about, or that YAML would silently turn into something else.

/// What is wrong with an unquoted scalar, and its mend.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) message: String,
    pub(super) help: String,
}

/// What is wrong with this unquoted scalar as a value, if anything.
pub(super) fn doubt(text: &str) -> Option<Doubt> {
    if matches!(text, "" | "~") || text.eq_ignore_ascii_case("null") {
        return Some(Doubt {
            message: "nothing stands here".to_owned(),
            help: "write a value; for the text itself write it in quotes: `\"\"`".to_owned(),
        });
    }
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "yes" | "no" | "on" | "off") {
        let truth = matches!(lower.as_str(), "yes" | "on");
        return Some(Doubt {
            message: format!("unquoted `{text}` is a text to one YAML reader and a boolean to another"),
            help: format!("write `{truth}`, or the text in quotes: `\"{text}\"`"),
        });
    }
    if matches!(lower.as_str(), "true" | "false") && lower != text {
        return Some(quotes(text, "a boolean", &format!("write `{lower}`, or ")));
    }
    number(text)
}

fn number(text: &str) -> Option<Doubt> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if unsigned.contains(':') && unsigned.split(':').all(digits) {
        return Some(quotes(text, "a number in base 60 to YAML 1.1", ""));
    }
    if unsigned.starts_with('0') && unsigned.len() > 1 && digits(unsigned) {
        return Some(quotes(text, "an octal number to one YAML reader and a text to another", ""));
    }
    if digits(unsigned) && !text.starts_with('+') {
        return None;
    }
    if is_float(unsigned) {
        return Some(quotes(text, "a number with a fraction, and loses its last zeros", ""));
    }
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| unsigned.starts_with(prefix));
    let odd = prefixed || (text.starts_with('+') && digits(unsigned)) || grouped(unsigned);
    odd.then(|| quotes(text, "a number to one YAML reader and a text to another", "write it in decimal, or "))
}

fn is_float(text: &str) -> bool {
    let named = matches!(text.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    named || (starts && text.parse::<f64>().is_ok())
}

fn grouped(text: &str) -> bool {
    text.contains('_')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

fn quotes(text: &str, what: &str, or: &str) -> Doubt {
    Doubt {
        message: format!("unquoted `{text}` is {what}"),
        help: format!("{or}write it in quotes: `\"{text}\"`"),
    }
}

#[cfg(test)]
mod tests {
    use super::doubt;

    #[test]
    fn doubtful_scalars() {
        for text in [
            "0644", "3.20", "1:3", "12:30:45", "yes", "No", "ON", "off", "~", "", "null", "True", "1e3",
            ".5", ".inf", "+5", "0x1F", "0o755", "1_000",
        ] {
            assert!(doubt(text).is_some(), "{text}");
        }
    }

    #[test]
    fn plain_scalars() {
        for text in [
            "0", "1", "-1", "busybox", "true", "false", "300ms", "64MiB", "6.1.0", "a:b", "1:3a", "nothing",
            "/proc", "1.2.3.4", "e3", "infinity", "nan",
        ] {
            assert_eq!(doubt(text), None, "{text}");
        }
    }
}
