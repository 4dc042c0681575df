//! Claims that are run several times and told once.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kernels::a_kernel;
use crate::runs::{Told, run};

fn spec(folder: &Path, claims: &str) -> PathBuf {
    let path = folder.join("spec.yaml");
    let text = format!("scenario: Repeated\nsandbox: {{ image: base }}\nclaims:\n{claims}");
    fs::write(&path, text).unwrap();
    path
}

fn outcomes(told: &[Told]) -> Vec<(&str, &str)> {
    told.iter().map(|told| (told.claim.as_str(), told.outcome.as_str())).collect()
}

/// What is not always the same is red, and says how often each came.
#[test]
fn a_flaky_claim_is_red() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let claims = format!(
        "  holds: {{ inside: {{ pid: 1 }} }}\n  does not hold: {{ run: ['false'], exit: 0 }}\n  \
         fails once: {{ host.run: 'echo >>{0}; [ $(wc -l <{0}) != 3 ]', exit: 0, inside: {{ pid: 1 }} }}\n  \
         cannot be measured: {{ needs: [program nothing-like-it], inside: {{ pid: 1 }} }}\n",
        count.display()
    );
    let spec = spec(folder.path(), &claims);
    let mut told = run(&["--repeat", "5", "-j", "1", spec.to_str().unwrap()]);
    told.sort_by(|one, other| one.claim.cmp(&other.claim));
    let expected = [
        ("cannot be measured", "skipped"),
        ("does not hold", "failed"),
        ("fails once", "failed"),
        ("holds", "passed"),
    ];
    assert_eq!(outcomes(&told), expected, "{told:?}");
    let counted: Vec<bool> = told.iter().map(|told| told.text.contains(" of 5")).collect();
    assert_eq!(counted, [false, false, true, false]);
    assert!(told[2].text.contains("passed 4 of 5, failed 1 of 5"), "{}", told[2].text);
    assert_eq!(fs::read_to_string(count).unwrap().lines().count(), 5);
}

/// In VMs nothing is left of one round for the next, and chance is another in each.
#[test]
fn each_round_has_a_kernel_of_its_own() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  nobody was here: { host.run: '[ ! -e /tmp/was-here ] && echo >/tmp/was-here', exit: 0, inside: { pid: 1 } }\n  \
                  ends the kernel: { host.run: '[ -e /tmp/was-here ] && echo c >/proc/sysrq-trigger', inside: { pid: 1 } }\n";
    let spec = spec(folder.path(), claims);
    let told = run(&["--repeat", "3", "--kernel", &kernel, spec.to_str().unwrap()]);
    let mut found = outcomes(&told);
    found.sort_unstable();
    assert_eq!(found, [("ends the kernel", "crashed"), ("nobody was here", "passed")], "{told:?}");
    assert!(!told.iter().any(|told| told.text.contains(" of 3")), "{told:?}");
}
