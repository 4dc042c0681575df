//! What a kernel may say on its console without being held to have failed.

use regex::Regex;
use serde::{Deserialize, Deserializer, de};

/// A message of a kernel that is no failure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedMessage {
    /// What of its text is searched for.
    #[serde(rename = "match")]
    matches: Pattern,
    /// Why it is allowed.
    because: String,
    /// Where that is said.
    link: Option<String>,
    /// The last day on which it is.
    until: Option<Day>,
}

impl AllowedMessage {
    /// The reason, if this message is allowed on that day, written as `2027-01-31`.
    pub fn reason(&self, message: &str, today: &str) -> Option<String> {
        let over = self.until.as_ref().is_some_and(|until| today > until.0.as_str());
        (!over && self.matches.0.is_match(message)).then(|| self.to_string())
    }

    /// The last day on which the message was allowed, if that is before this one. Then whoever wrote the list should look again.
    pub fn ended(&self, today: &str) -> Option<&str> {
        self.until.as_ref().map(|until| until.0.as_str()).filter(|until| today > *until)
    }
}

impl std::fmt::Display for AllowedMessage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.link {
            Some(link) => write!(formatter, "{} ({link})", self.because),
            None => formatter.write_str(&self.because),
        }
    }
}

/// A regular expression that does not match everything.
#[derive(Debug, Clone)]
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pattern = Regex::new(&text).map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            de::Error::custom(format!("this is not a regular expression: {reason}"))
        })?;
        if pattern.is_match("") {
            return Err(de::Error::custom(
                "this allows every message: write what stands in the one that is meant",
            ));
        }
        Ok(Self(pattern))
    }
}

/// A day, as `2027-01-31`: days in this form have the order of their texts.
#[derive(Debug, Clone)]
struct Day(String);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !is_day(&text) {
            return Err(de::Error::custom(format!("`{text}` is no day: write it as `2027-01-31`")));
        }
        Ok(Self(text))
    }
}

fn is_day(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
    };
    let hyphens = text.len() == 10 && text.is_ascii() && &text[4..5] == "-" && &text[7..8] == "-";
    let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(5..7), digits(8..10)) else {
        return false;
    };
    hyphens && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day)
}

const fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_allowed_until_a_day() {
        let text = "{ match: 'WARNING: .* at net/', because: it is so, until: '2027-01-31' }";
        let allowed: AllowedMessage = serde_yaml::from_str(text).unwrap();
        let message = "WARNING: CPU: 0 PID: 1 at net/core/dev.c:1";
        assert_eq!(allowed.reason(message, "2027-01-31").as_deref(), Some("it is so"));
        assert_eq!(allowed.reason(message, "2027-02-01"), None);
        assert_eq!(allowed.reason("WARNING: at mm/", "2027-01-31"), None);
        assert_eq!((allowed.ended("2027-01-31"), allowed.ended("2027-02-01")), (None, Some("2027-01-31")));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for good in ["2027-01-31", "2028-02-29", "2000-02-29"] {
            assert!(is_day(good), "{good}");
        }
        for bad in [
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "27-1-1",
            "+027-01-01",
            "2027-01-1é",
            "",
            "2027-04-31",
        ] {
            assert!(!is_day(bad), "{bad}");
        }
    }
}
