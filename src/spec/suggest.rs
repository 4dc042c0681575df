//! "Did you mean": the known word that is nearest to an unknown one.

use crate::sys::SIGNALS;

/// The mend for an unknown word, if there is a known one near it.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean `{known}`?"))
}

/// The mend for an unknown word: the nearest known one, or all of them.
pub(super) fn one_of<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    did_you_mean(word, known.clone()).unwrap_or_else(|| {
        let known: Vec<_> = known.into_iter().map(|known| format!("`{known}`")).collect();
        format!("known are {}", known.join(", "))
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
    let lower = word.to_lowercase();
    let near = known.into_iter().map(|known| {
        let known_lower = known.to_lowercase();
        let same_words = known_lower.replace(['-', '_'], "") == lower.replace(['-', '_'], "");
        let distance = if same_words { 0 } else { strsim::damerau_levenshtein(&lower, &known_lower) };
        (distance, known)
    });
    // A third of the letters may differ: more is another word.
    near.filter(|(distance, known)| *distance <= (known.len().max(3)) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
