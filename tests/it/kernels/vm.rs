//! Claims on real kernels in real VMs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::real::packages;
use crate::runs::{Told, run};

/// Those that there are; the oldest has no overlay in a user namespace.
pub(super) fn kernels() -> Vec<String> {
    packages().into_iter().flatten().map(|path| path.display().to_string()).collect()
}

fn on(kernel: &str, spec: &Path) -> Vec<Told> {
    run(&["--kernel", kernel, spec.to_str().unwrap()])
}

fn outcomes(told: &[Told]) -> Vec<(&str, &str)> {
    told.iter().map(|told| (told.claim.as_str(), told.outcome.as_str())).collect()
}

fn spec(folder: &tempfile::TempDir, claims: &str) -> PathBuf {
    let path = folder.path().join("spec.yaml");
    let text =
        format!("scenario: A kernel\nneeds: [vm, root]\nsandbox: {{ image: base }}\nclaims:\n{claims}");
    fs::write(&path, text).unwrap();
    path
}

/// What a sandbox is, is the same on each of them; what is judged is that kernel and not the host's.
#[test]
fn claims_hold_on_each_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let host = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let claims = format!(
        "  is first: {{ inside: {{ pid: 1, namespaces: {{ pid: {{ differs_from: host }} }} }} }}\n  is another kernel: {{ inside: {{ uname: {{ release: {{ not: '{host}' }} }} }} }}\n  \
         is not last: {{ inside: {{ pid: 2 }} }}\n"
    );
    let spec = spec(&folder, &claims);
    for kernel in kernels() {
        let told = on(&kernel, &spec);
        let expected = [("is first", "passed"), ("is another kernel", "passed"), ("is not last", "failed")];
        assert_eq!(outcomes(&told), expected, "{kernel}: {told:?}");
    }
}

/// QEMU before 8.0 garbles the flags of CMPXCHG16B, and traps the kernel by it: there no kernel finds that its CPU has it.
#[test]
fn what_qemu_gets_wrong_is_not_offered() {
    let (Some(kernel), Ok(qemu)) =
        (kernels().into_iter().next(), Command::new("qemu-system-x86_64").arg("--version").output())
    else {
        return;
    };
    let old = ["5.", "6.", "7."]
        .iter()
        .any(|major| String::from_utf8_lossy(&qemu.stdout).contains(&format!(" version {major}")));
    let folder = tempfile::tempdir().unwrap();
    let claims = "  has it: { inside: { processor: { flags: { matches: cx16 } } } }\n  is emulated: { inside: { processor: { flags: { matches: cx8 } } } }\n";
    let told = on(&kernel, &spec(&folder, claims));
    let mut found = outcomes(&told);
    found.sort_unstable();
    assert_eq!(
        found,
        [("has it", if old { "failed" } else { "passed" }), ("is emulated", "passed")],
        "{told:?}"
    );
}

/// A kernel that dies costs the claim that was being judged, and what it said is told; the others are judged in another VM.
#[test]
fn a_panic_costs_one_claim() {
    let Some(kernel) = kernels().into_iter().next() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  holds before: { inside: { pid: 1 } }\n  ends the kernel: { host.run: 'echo c >/proc/sysrq-trigger', inside: { pid: 1 } }\n  \
                  holds after: { run: ['true'], exit: 0 }\n";
    let told = on(&kernel, &spec(&folder, claims));
    let mut found = outcomes(&told);
    found.sort_unstable();
    let expected = [("ends the kernel", "crashed"), ("holds after", "passed"), ("holds before", "passed")];
    assert_eq!(found, expected, "{told:?}");
    let crash = told.iter().find(|told| told.outcome == "crashed").unwrap();
    assert!(crash.text.contains("Kernel panic - not syncing: sysrq triggered crash"), "{}", crash.text);
}

/// A warning does not end a VM, and the scenario fails all the same: the kernel was not itself.
#[test]
fn a_complaint_of_the_kernel_fails_the_scenario() {
    let Some(kernel) = kernels().into_iter().next() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  provokes one: { host.run: 'echo \"WARNING: made up by a test\" >/dev/kmsg', inside: { pid: 1 } }\n";
    let told = on(&kernel, &spec(&folder, claims));
    assert_eq!(outcomes(&told), [("provokes one", "failed")], "{told:?}");
    assert!(told[0].text.contains("the kernel complained"), "{}", told[0].text);
}

/// What one scenario leaves behind is there for the next only where they share a VM, and not once its kernel has died.
#[test]
fn scenarios_share_a_kernel_where_that_is_asked_for() {
    let Some(kernel) = kernels().into_iter().next() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.yaml");
    let scenario = |name: &str, claim: &str| {
        format!("scenario: {name}\nneeds: [vm, root]\nsandbox: {{ image: base }}\nclaims:\n  {claim}\n")
    };
    let finds = "finds it: { host.run: '[ -e /tmp/left ]', exit: 0, inside: { pid: 1 } }";
    let text = [
        scenario("One", "leaves something: { host.run: '>/tmp/left', inside: { pid: 1 } }"),
        scenario("Two", finds),
        scenario("Three", "ends the kernel: { host.run: 'echo c >/proc/sysrq-trigger', inside: { pid: 1 } }"),
        scenario("Four", finds),
    ]
    .join("---\n");
    fs::write(&path, text).unwrap();
    for (isolation, second) in [("shared", "passed"), ("fresh", "failed")] {
        let words = ["--jobs", "1", "--isolation", isolation, "--kernel", &kernel, path.to_str().unwrap()];
        let told = run(&words);
        let found: Vec<&str> = told.iter().map(|told| told.outcome.as_str()).collect();
        assert_eq!(found, ["passed", second, "crashed", "failed"], "{isolation}: {told:#?}");
    }
}

/// `JUMP` sets the clock while the claim is on: before, between, and while it waits.
const JUMPING: &str = "scenario: A clock that jumps
needs: [vm, root]
sandbox: { image: base }
claims:
  stays so while it jumps:
    timeout: 60s
    steps:
      - host.run: JUMP
        inside: { pid: 1 }
      - stays: 3s
        host.run: JUMP
        outside: { alive: true }
  becomes so while it jumps:
    timeout: 60s
    steps:
      - exec: [sleep, \"1000\"]
        as: sleeper
      - host.run: JUMP
      - exec: kill -9 $(pidof sleep)
      - within: 30s
        host.run: JUMP
        outside sleeper: { alive: false }
  does not become so:
    timeout: 60s
    steps:
      - within: 3s
        host.run: JUMP
        inside: { pid: 2 }
  does not end in its time:
    timeout: 10s
    steps:
      - host.run: JUMP
      - exec: [sleep, \"1000\"]
  is refused:
    steps:
      - host.run: JUMP
        inside: { attempts: { mount: { tmpfs: denied }, connect: { \"tcp 127.0.0.1:1\": { fails: ECONNREFUSED } } } }
  has jumped often:
    # It does something, so that it is not judged together with the first.
    steps:
      - exec: [\"true\"]
      - host.run: '[ $(wc -l </tmp/jumps) -gt 10 ] && [ $(sort -u /tmp/jumps | wc -l) = 2 ]'
        exit: 0
";

/// What becomes of them, whatever the clock says.
const ENDS: [(&str, &str); 6] = [
    ("stays so while it jumps", "passed"),
    ("becomes so while it jumps", "passed"),
    ("does not become so", "failed"),
    ("does not end in its time", "failed"),
    ("is refused", "passed"),
    ("has jumped often", "passed"),
];

/// Forwards and backwards by years at every step, by the machine's own clock: no outcome changes.
#[test]
fn a_wall_clock_that_jumps_changes_no_outcome() {
    let Some(kernel) = kernels().into_iter().next() else { return };
    // From one jump to the next decades ahead and back, so that no wait sees the same day twice; or always the same way, from today.
    for jumps in
        [["@1900000000", "@4000000000"], ["@1000000000", "@1900000000"], ["@4000000000", "@1000000000"]]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spec.yaml");
        fs::write(&path, JUMPING.replace("JUMP", &jump(jumps))).unwrap();
        let told = on(&kernel, &path);
        let mut found = outcomes(&told);
        // Those that share a sandbox are judged together.
        found.sort_unstable();
        let mut expected = ENDS;
        expected.sort_unstable();
        assert_eq!(found, expected, "{jumps:?}: {told:#?}");
    }
}

/// A shell's words that set the clock to the next of two times, and note it down.
fn jump([one, other]: [&str; 2]) -> String {
    let script = format!(
        "last=$(tail -n 1 /tmp/jumps 2>/dev/null); next={one}; [ \"$last\" = {one} ] && next={other}; \
         echo $next >>/tmp/jumps; date -s $next >/dev/null"
    );
    serde_json::to_string(&script).unwrap()
}
