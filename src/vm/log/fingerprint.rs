//! By what the same complaint is known again, on another day and in another build of the kernel.

use std::sync::LazyLock;

use regex::Regex;

/// How many functions it takes.
const FUNCTIONS: usize = 5;

/// The first functions that a complaint names, without their addresses: `one:two:three`. What the kernel itself is not sure of is left
/// out. Where none is named it is the title without its numbers.
pub(super) fn fingerprint(body: &str, title: &str) -> String {
    static FUNCTION: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\b([A-Za-z_][A-Za-z0-9_.]*)\+0x[0-9a-f]+/0x[0-9a-f]+").ok());
    let mut names: Vec<&str> = Vec::new();
    for line in body.lines().filter(|line| !line.trim_start().starts_with('?')) {
        let found = FUNCTION.as_ref().and_then(|function| function.captures(line));
        if let Some(name) = found.and_then(|found| found.get(1)).map(|name| name.as_str())
            && names.last() != Some(&name)
        {
            names.push(name);
        }
    }
    // Its own name stands in the title and again at RIP.
    names.dedup();
    names.truncate(FUNCTIONS);
    if names.is_empty() { without_numbers(title) } else { names.join(":") }
}

fn without_numbers(title: &str) -> String {
    title.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn numbers_do_not_count() {
        let one =
            fingerprint("INFO: task sh:12 blocked", "INFO: task sh:12 blocked for more than 120 seconds.");
        let other =
            fingerprint("INFO: task sh:7 blocked", "INFO: task sh:7 blocked for more than 241 seconds.");
        assert_eq!(one, other);
    }
}
