//! What is to be known of a runtime, as its file has it: for `airtight runtime show`.

use std::fmt::Write;

use super::definition::{Definition, Need};

/// The runtime, its command lines, what it cannot do, and what may surprise.
pub(super) fn manual(definition: &Definition) -> String {
    let mut text = format!("{}: {}\n", definition.runtime, definition.about);
    for reference in &definition.see {
        // Writing to a text does not fail.
        let _ = writeln!(text, "  see      {reference}");
    }
    if definition.needs.contains(&Need::Root) {
        text.push_str("  needs    root\n");
    }
    let command_lines = [
        ("run", Some(&definition.run)),
        ("exec", definition.exec.as_ref()),
        ("kill", definition.kill.as_ref()),
        ("delete", definition.delete.as_ref()),
    ];
    for (name, words) in command_lines {
        let Some(words) = words else { continue };
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  {name:<8} {}", words.join(" "));
    }
    for (name, form) in &definition.reports {
        let words: Vec<String> = form.run.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  report   {name}: {}", words.join(" "));
    }
    let in_vm: Vec<&str> = definition.vm.brought().collect();
    if !in_vm.is_empty() {
        let _ = writeln!(text, "  in a VM  with {}", in_vm.join(", "));
    }
    for (what, why) in &definition.cannot {
        let _ = writeln!(text, "  cannot   {what}: {why}");
    }
    let hardened = if definition.hardened.is_some() { "it has one" } else { "it has none" };
    let _ = writeln!(text, "  profile hardened: {hardened}");
    for quirk in &definition.quirks {
        let _ = writeln!(text, "  - {quirk}");
    }
    for issue in &definition.known_issues {
        let _ = writeln!(text, "  known    {issue}");
    }
    if let Some(reason) = &definition.untested {
        let _ = writeln!(text, "  not tried by airtight's own tests: {reason}");
    }
    text
}
