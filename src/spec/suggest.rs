//! "Did you mean": the known word that is nearest to an unknown one.

use crate::sys::SIGNALS;

/// More known words than this are not all listed.
const MANY: usize = 20;

/// The mend for an unknown word, if there is a known one near it.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean `{known}`?"))
}

/// The mend for an unknown word: the nearest known one, or all of them where they are few.
pub(crate) fn one_of<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    did_you_mean(word, known.clone()).unwrap_or_else(|| {
        let known: Vec<_> = known.into_iter().map(|known| format!("`{known}`")).collect();
        match known.get(MANY..) {
            Some([_, ..]) => format!("among the {} known are {}", known.len(), known[..MANY / 2].join(", ")),
            _ => format!("known are {}", known.join(", ")),
        }
    })
}

/// The mend for an unknown signal, which kill(1) takes without its `SIG`.
pub(super) fn signal(word: &str) -> String {
    let whole = format!("SIG{}", word.to_ascii_uppercase());
    if SIGNALS.contains(&whole.as_str()) {
        return format!("did you mean `{whole}`?");
    }
    did_you_mean(word, SIGNALS.iter().copied()).unwrap_or_else(|| "signal(7) has the names".to_owned())
}

fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let near = known.into_iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known));
    // A third of the letters may differ: more is another word.
    let near = near.filter(|(distance, known)| *distance <= known.len().max(3) / 3);
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// A word without what differs between habits of writing: `CAP_NET_RAW` is `net_raw`, `read-only` is `read_only`.
fn plain(word: &str) -> String {
    let lower = word.to_lowercase().replace(['-', '_', ' '], "");
    lower.strip_prefix("cap").map_or(lower.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{one_of, signal};

    #[test]
    fn the_nearest_word_is_meant() {
        let check = |word: &str, known: &[&str], expected: &str| {
            assert_eq!(one_of(word, known.iter().copied()), expected, "{word}");
        };
        check("namspaces", &["pid", "namespaces"], "did you mean `namespaces`?");
        check("CAP_CHOWN", &["chown", "kill"], "did you mean `chown`?");
        check("readonly", &["read_only", "readable"], "did you mean `read_only`?");
        check("colour", &["pid", "ppid"], "known are `pid`, `ppid`");
        check(
            "x",
            &["alpha"; 30],
            "among the 30 known are `alpha`, `alpha`, `alpha`, `alpha`, `alpha`, `alpha`, `alpha`, `alpha`, `alpha`, `alpha`",
        );
        assert_eq!(signal("kill"), "did you mean `SIGKILL`?");
        assert_eq!(signal("SIGTREM"), "did you mean `SIGTERM`?");
    }
}
