//! What is known of a runtime, or of a kernel, not to hold: by its design, or reported.

use regex::Regex;
use serde::{Deserialize, Deserializer, de};

/// Something that a runtime or a kernel does not give, and the claims that say so. Where one of them fails it is a known issue; where it holds, because
/// a newer version or another host gives more, it has passed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownIssue {
    /// Why they fail.
    because: String,
    /// Where that is said.
    link: String,
    /// The claims.
    claims: Vec<Claims>,
}

impl KnownIssue {
    /// The reason, if this is such a claim: `SCENARIO::CLAIM`, with their rows.
    pub fn reason(&self, claim: &str) -> Option<String> {
        self.claims.iter().any(|claims| claims.0.is_match(claim)).then(|| self.to_string())
    }
}

impl std::fmt::Display for KnownIssue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.because, self.link)
    }
}

/// Claims, as `SCENARIO::CLAIM` with `*` for any text. The names have brackets and question marks, which stand for themselves here.
#[derive(Debug, Clone)]
struct Claims(Regex);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.contains("::") {
            return Err(de::Error::custom(format!(
                "`{text}` names no claims: write `SCENARIO::CLAIM`, with `*` for any text"
            )));
        }
        let pattern = format!("^{}$", regex::escape(&text).replace(r"\*", ".*"));
        Regex::new(&pattern).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_known_by_its_name_and_row() {
        let known = "{ because: it is so, link: 'https://x', claims: ['A box::is*', 'A (n=[1])::b'] }";
        let known: KnownIssue = serde_yaml::from_str(known).unwrap();
        let told = Some("it is so (https://x)".to_owned());
        assert_eq!(known.reason("A box::is closed (path=/)"), told);
        assert_eq!(known.reason("A (n=[1])::b"), told);
        for other in ["A box::was closed", "My A box::is closed", "A (n=1)::b", "A (n=[1])::b, c"] {
            assert_eq!(known.reason(other), None, "{other}");
        }
    }
}
