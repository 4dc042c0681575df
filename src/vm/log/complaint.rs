//! What kernels say when something is wrong with them.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::fingerprint::fingerprint;

/// The first lines of all that a kernel complains of: panics and oopses, warnings, what its own checkers find (lockdep, KASAN, KCSAN, UBSAN),
/// what hangs, what leaks. Each stands at the beginning of a line, behind the time.
const FIRST_LINES: [&str; 24] = [
    r"^Kernel panic",
    r"^(PANIC|panic): double fault",
    r"^BUG[: ]",
    r"^WARNING[: ]",
    r"^Oops[: ]",
    r"^[Kk]ernel BUG( at|!)",
    r"^UBSAN: ",
    r"^(general protection fault|stack segment|divide error|invalid opcode|int3): ",
    r"^(Internal error|Unhandled fault): ",
    r"^Unable to handle kernel",
    r"^BUG kmalloc-",
    r"^watchdog: .*(soft lockup|hard LOCKUP)",
    r"^(rcu: )?INFO: (task .* blocked for more than|[_a-z]+ (self-)?detected stall)",
    r"^rcu: .*(detected stall|kthread starved)",
    r"^INFO: (possible recursive locking|inconsistent lock state|suspicious RCU usage|trying to register)",
    r"^(=+ )?(possible circular locking|possible recursive locking|suspicious RCU usage)",
    r"^DEBUG_LOCKS_WARN_ON",
    r"^refcount_t: ",
    r"^unregister_netdevice: waiting for",
    r"^leaked reference\.",
    r"^VFS: (Close: file count is 0|Busy inodes after unmount)",
    r"^kmemleak: [1-9]\d* new suspected",
    r"^rust_kernel: panicked",
    r"^Booting the kernel\.",
];

/// What ends a complaint that has begun.
const LAST_LINES: [&str; 3] = [r"^---\[ end (trace|Kernel panic)", r"^=+$", r"^</TASK>"];

/// How many lines a complaint has at most, and how many before it are told with it.
const LONGEST: usize = 200;
const BEFORE: usize = 5;

/// Something that the kernel complains of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Its first line, without the time.
    pub title: String,
    /// By which the same one is known again: the first functions that it names; its title where it names none.
    pub fingerprint: String,
    /// The whole, with what stood before it.
    pub text: String,
}

/// All of them in a console's text, in order, but those whose first line is allowed; `started` says that the kernel was running when the text began, so that it must not
/// start again.
pub(crate) fn complaints(console: &str, started: bool, allowed: &dyn Fn(&str) -> bool) -> Vec<Complaint> {
    static BEGINS: LazyLock<RegexSet> = LazyLock::new(|| set(&FIRST_LINES));
    let lines: Vec<&str> = console.lines().map(without_time).collect();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(line) = lines.get(next) {
        let begins = BEGINS.is_match(line) || started && line.starts_with("Linux version ");
        if !begins || allowed(line) {
            next += 1;
            continue;
        }
        let end = end_of(&lines, next);
        let text = lines[next.saturating_sub(BEFORE)..end].join("\n");
        let body = lines[next..end].join("\n");
        found.push(Complaint { title: (*line).to_owned(), fingerprint: fingerprint(&body, line), text });
        next = end;
    }
    found
}

/// Up to its last line; where it has none, or another follows before it, as far as its lines look like it.
fn end_of(lines: &[&str], first: usize) -> usize {
    static ENDS: LazyLock<RegexSet> = LazyLock::new(|| set(&LAST_LINES));
    let longest = lines.len().min(first + LONGEST);
    let last = (first + 1..longest).find(|place| ENDS.is_match(lines[*place]));
    last.map_or_else(
        || {
            let traced = |place: &usize| lines[*place].starts_with([' ', '\t']) || is_register(lines[*place]);
            (first + 1..longest).find(|place| !traced(place)).unwrap_or(longest)
        },
        |last| last + 1,
    )
}

fn is_register(line: &str) -> bool {
    static LIKE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(R[A-Z0-9]{2}|E[A-Z]{2}|CPU|Call Trace|Code|Hardware name|CR2|FS|CS|DR|Modules linked|RIP|Workqueue|<TASK>|</TASK>)\b|^(<TASK>|</TASK>)").ok()
    });
    LIKE.as_ref().is_some_and(|like| like.is_match(line))
}

/// The line behind `[   12.345678]`, `[T123]` and what a priority looks like.
fn without_time(line: &str) -> &str {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(<\d+>)?(\[[^\]]*\] ?)*").ok());
    let end = TIME.as_ref().and_then(|time| time.find(line)).map_or(0, |found| found.end());
    &line[end..]
}

/// Expressions of this file's own, which a test compiles.
fn set(expressions: &[&str]) -> RegexSet {
    RegexSet::new(expressions).unwrap_or_else(|_| RegexSet::empty())
}

#[cfg(test)]
mod tests {
    use super::{FIRST_LINES, LAST_LINES, complaints, set};

    fn titles(console: &str, started: bool) -> Vec<String> {
        complaints(console, started, &|_| false).into_iter().map(|complaint| complaint.title).collect()
    }

    #[test]
    fn the_expressions_are_sound() {
        assert_eq!(set(&FIRST_LINES).len(), FIRST_LINES.len());
        assert_eq!(set(&LAST_LINES).len(), LAST_LINES.len());
    }

    #[test]
    fn every_kind_of_complaint_is_heard() {
        let check = |line: &str| {
            assert_eq!(
                titles(&format!("[    1.0] fine\n[    2.0][  T7] {line}\n[    3.0] fine\n"), true),
                [line]
            );
        };
        check("Kernel panic - not syncing: Attempted to kill init!");
        check("BUG: kernel NULL pointer dereference, address: 0000000000000008");
        check("BUG: KASAN: use-after-free in do_it+0x12/0x40");
        check("BUG: KCSAN: data-race in a / b");
        check("WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 do_it+0x12/0x40");
        check("WARNING: possible circular locking dependency detected");
        check("Oops: 0002 [#1] PREEMPT SMP NOPTI");
        check("kernel BUG at mm/slub.c:1!");
        check("UBSAN: shift-out-of-bounds in a.c:1:2");
        check("general protection fault, probably for non-canonical address".replace(", ", ": ").as_str());
        check("INFO: task sh:12 blocked for more than 120 seconds.");
        check("rcu: INFO: rcu_sched self-detected stall on CPU");
        check("watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:12]");
        check("refcount_t: underflow; use-after-free.");
        check("unregister_netdevice: waiting for lo to become free. Usage count = 1");
        check("Linux version 6.1.0 (somebody)");
    }

    #[test]
    fn what_is_no_complaint_is_passed_over() {
        let check = |line: &str| assert!(titles(&format!("[    2.0] {line}\n"), false).is_empty(), "{line}");
        check("Linux version 6.1.0 (somebody)");
        check("audit: type=1326 comm=\"WARNING: no\"");
        check("systemd[1]: WARNING: not the kernel's");
        check("Memory cgroup out of memory: Killed process 12");
        check("Spectre V2 : WARNING: Unprivileged eBPF is enabled");
    }

    #[test]
    fn a_complaint_is_told_whole_and_known_again() {
        let text = "[ 1.0] before\n[ 2.0] ------------[ cut here ]------------\n[ 2.1] WARNING: CPU: 0 PID: 77 at kernel/a.c:9 one+0x1/0x2\n\
                    [ 2.2] RIP: 0010:one+0x1/0x2\n[ 2.3] Call Trace:\n[ 2.4]  <TASK>\n[ 2.5]  two+0x10/0x20\n[ 2.6]  ? maybe+0x1/0x2\n[ 2.7]  three+0x1/0x2\n\
                    [ 2.8] ---[ end trace 0000000000000000 ]---\n[ 3.0] after\n";
        let found = complaints(text, true, &|_| false);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].fingerprint, "one:two:three");
        assert!(
            found[0].text.starts_with("before\n") && found[0].text.ends_with("]---"),
            "{}",
            found[0].text
        );
        assert!(complaints(text, true, &|line| line.contains("at kernel/a.c")).is_empty());
    }
}
