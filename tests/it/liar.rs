//! Runtimes that make no sandbox: on none of them does any bundled claim pass.

use crate::runs::{Told, run};

/// On this runtime every bundled claim is red, whatever it expects. Only what this machine cannot be asked for at all, because the host
/// has not what it is about, is skipped or not measured there as it is in a real sandbox.
fn check(runtime: &str, says: &[&str]) {
    let told = run(&["--allow-risky", "--runtime", runtime, "specs"]);
    let real = run(&["--allow-risky", "--runtime", "native", "specs"]);
    let (mut red, mut caught) = (0, 0);
    for one in &told {
        match one.outcome.as_str() {
            "broken" | "failed" => red += 1,
            "skipped" | "not_measured" => assert!(real.iter().any(|real| is_like(one, real)), "{}", one.text),
            _ => panic!("it passes on {runtime}, and so it checks nothing: {}", one.text),
        }
        caught += usize::from(one.outcome == "broken" && says.iter().any(|says| one.text.contains(says)));
    }
    assert!(red > 50 && caught > red / 2, "{runtime}: {caught} of {red} that are red say: {says:?}");
}

fn is_like(one: &Told, real: &Told) -> bool {
    (&one.file, &one.claim, &one.outcome) == (&real.file, &real.claim, &real.outcome)
}

#[test]
fn nothing_passes_where_nothing_is_done() {
    check("exit-0", &["the agent closed its streams without an answer", "first process exited with 0"]);
    check("exit-1", &["the agent closed its streams without an answer", "first process exited with 1"]);
}

/// Its token, its nonces, its PID and its facts are right: only the host sees that it is another program.
#[test]
fn nothing_passes_on_the_word_of_a_liar() {
    check("liar", &["/sed, which is not this program"]);
}
