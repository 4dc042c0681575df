//! Kernels that do not come up, VMs that hang, a QEMU that is none: each has a clear outcome, and in bounded time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kernels;
use super::make::vmlinux_of;
use super::real::{packages, small};
use crate::runs::{Told, run, run_with};

/// The kernel on which these are tried: one is enough, and this is the smallest.
fn kernel() -> Option<String> {
    let path = packages()?.into_iter().find(|path| path.to_string_lossy().contains("cloud"));
    Some(path?.to_str().unwrap().to_owned())
}

fn spec(folder: &Path, claims: &str) -> String {
    let path = folder.join("spec.yaml");
    let text =
        format!("scenario: A kernel\nneeds: [vm, root]\nsandbox: {{ image: base }}\nclaims:\n{claims}");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// One claim, and how it ended on a kernel of this list.
fn listed(kernel: &str, append: &str) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("kernels.yaml");
    fs::write(&list, format!("kernels: [{{ name: it, path: {kernel}, append: [{append}] }}]")).unwrap();
    let spec = spec(folder.path(), "  holds: { inside: { pid: 1 } }\n");
    one(run(&["--kernels", list.to_str().unwrap(), &spec]))
}

fn one(mut told: Vec<Told>) -> Told {
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

/// It ended so, and all of this is told of it.
fn check(told: &Told, outcome: &str, words: &[&str]) {
    assert_eq!(told.outcome, outcome, "{}", told.text);
    for word in words {
        assert!(told.text.contains(word), "no `{word}` in {}", told.text);
    }
}

#[test]
fn a_kernel_that_panics_at_boot_says_so() {
    let Some(kernel) = kernel() else { return };
    let told = listed(&kernel, "rdinit=/nothing");
    check(&told, "broken", &["the kernel it did not boot: the VM ended", "Kernel panic - not syncing: VFS"]);
}

/// What a kernel was built without is told, and what needs none of it is judged there all the same.
#[test]
fn a_kernel_without_namespaces_says_so() {
    let Some(kernel) = small() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.yaml");
    fs::write(&path, WITHOUT_NAMESPACES).unwrap();
    let told = run(&["--kernel", kernel.to_str().unwrap(), path.to_str().unwrap()]);
    let [isolates, shares] = told.as_slice() else { panic!("{told:?}") };
    check(isolates, "skipped", &["this kernel has no user namespaces"]);
    check(shares, "passed", &[]);
}

const WITHOUT_NAMESPACES: &str = "\
scenario: A sandbox
sandbox: { image: base }
claims:
  is one: { inside: { pid: 1 } }
---
scenario: No sandbox
runtimes: [none]
sandbox: { image: base }
claims:
  has what the kernel has: { inside: { paths: { /proc/self/ns: { exists: true }, /proc/self/ns/pid: { exists: false } } } }
";

#[test]
fn an_initramfs_that_does_not_fit_is_told_by_the_kernel() {
    let Some(kernel) = kernel() else { return };
    let told = listed(&kernel, "mem=48M");
    check(&told, "broken", &["the kernel it did not boot", "Cannot find place for new RAMDISK"]);
}

/// As near as one comes to a kernel without namespaces: none can be made any more. What needs some is not judged, and the reason told.
#[test]
fn a_kernel_that_makes_no_namespaces_has_no_sandboxes() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  takes them away: { host.run: 'for it in /proc/sys/user/max_*_namespaces; do echo 0 >$it; done', inside: { pid: 1 } }\n  \
                  has none: { run: ['true'], exit: 0 }\n";
    for told in run(&["--kernel", &kernel, &spec(folder.path(), claims)]) {
        if told.claim == "has none" {
            check(&told, "broken", &["the sandbox did not start", "failed: ENOSPC"]);
        }
    }
}

/// `mov dx, 0x3f8`, and for each byte `mov al, BYTE; out dx, al`.
fn saying(text: &str) -> Vec<u8> {
    let said = text.bytes().flat_map(|byte| [0xb0, byte, 0xee]);
    [0x66, 0xba, 0xf8, 0x03].into_iter().chain(said).collect()
}

/// What becomes of a claim on a kernel that does this and nothing else.
fn made(code: &[u8]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vmlinux");
    fs::write(&path, vmlinux_of(code)).unwrap();
    let spec = spec(folder.path(), "  holds: { inside: { pid: 1 } }\n");
    one(run(&["--kernel", path.to_str().unwrap(), &spec]))
}

/// `cli; hlt; jmp` back: it computes nothing.
#[test]
fn a_kernel_that_sleeps_for_ever_at_boot_hangs() {
    let Some(_) = kernel() else { return };
    let told = made(&[saying("it is up\n").as_slice(), b"\xfa\xf4\xeb\xfd"].concat());
    check(
        &told,
        "broken",
        &["did not boot: the VM hangs: it did nothing for 2", "its last words", "it is up"],
    );
}

/// `cli; jmp` to itself: it does nothing but compute.
#[test]
fn a_kernel_that_turns_for_ever_at_boot_hangs() {
    let Some(_) = kernel() else { return };
    let told = made(b"\xfa\xeb\xfe");
    check(&told, "broken", &["did not boot: the VM hangs: it computed for 3", "it said nothing"]);
}

/// `ud2`, with nobody to take it: a triple fault.
#[test]
fn a_kernel_that_resets_the_machine_at_once_has_ended() {
    let Some(_) = kernel() else { return };
    check(&made(b"\x0f\x0b"), "broken", &["did not boot: the VM ended"]);
}

/// One that says the same for ever is never silent.
#[test]
fn a_kernel_that_talks_for_ever_at_boot_ends() {
    let Some(_) = kernel() else { return };
    let said = saying("so it goes\n");
    let back = i8::try_from(-(i64::try_from(said.len()).unwrap() + 2)).unwrap().to_le_bytes()[0];
    let told = made(&[said.as_slice(), &[0xeb, back]].concat());
    check(&told, "broken", &["did not boot: the VM hangs: it said 4 MiB", "so it goes"]);
}

/// Claims around one after which nothing more is heard of the guest.
fn interrupted(how: &str) -> Vec<Told> {
    let Some(kernel) = kernel() else { return Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let how = serde_json::to_string(how).unwrap();
    let claims = format!(
        "  holds before: {{ inside: {{ pid: 1 }} }}\n  \
         hangs: {{ timeout: 2s, steps: [{{ host.run: {how} }}, {{ inside: {{ pid: 1 }} }}] }}\n  \
         holds after: {{ timeout: 20s, run: ['true'], exit: 0 }}\n"
    );
    let spec = spec(folder.path(), &claims);
    run(&["--kernel", &kernel, &spec])
}

/// The one has crashed, the others hold: those that were judged before, and those that were judged in another VM.
fn only_one_crashed(told: &[Told], words: &[&str]) {
    for told in told {
        match told.claim.as_str() {
            "hangs" => check(told, "crashed", words),
            _ => check(told, "passed", &[]),
        }
    }
}

/// All but the first process are stopped, and that waits for what the engine says.
#[test]
fn a_guest_that_falls_asleep_costs_one_claim() {
    let told = interrupted("kill -STOP -1");
    only_one_crashed(&told, &["the VM hangs: it did nothing for"]);
}

/// A process that the scheduler prefers to all others, on the only CPU: what the kernel says of it is no sign of life.
#[test]
fn a_guest_that_is_too_busy_costs_one_claim() {
    let told =
        interrupted("echo -1 >/proc/sys/kernel/sched_rt_runtime_us; chrt -f 99 sh -c 'while :; do :; done'");
    only_one_crashed(&told, &["the VM hangs: it computed for", "Kernel panic - not syncing: NMI"]);
}

/// A warning while the first was judged counts against it, also where another kills the VM afterwards.
#[test]
fn a_complaint_before_a_death_is_held_against_who_was_judged_then() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  provokes one: { host.run: 'echo \"WARNING: made up by a test\" >/dev/kmsg', inside: { pid: 1 } }\n  \
                  ends the kernel: { host.run: 'echo c >/proc/sysrq-trigger', inside: { pid: 1 } }\n";
    for told in run(&["--kernel", &kernel, &spec(folder.path(), claims)]) {
        match told.claim.as_str() {
            "provokes one" => {
                check(&told, "failed", &["the kernel complained", "WARNING: made up by a test"]);
            }
            _ => check(&told, "crashed", &["Kernel panic - not syncing: sysrq triggered crash"]),
        }
    }
}

#[test]
fn a_kernel_that_is_cut_is_not_booted() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut image = fs::read(&kernels(&[&kernel], None, folder.path()).unwrap()[0].image).unwrap();
    image.truncate(image.len() / 2);
    let path = folder.path().join("vmlinuz");
    fs::write(&path, image).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_airtight"))
        .args(["run", "--kernel"])
        .arg(&path)
        .arg(spec(folder.path(), "  holds: { inside: { pid: 1 } }\n"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("vmlinuz is damaged: ") && said.contains("fetch or build it again"), "{said}");
}

const QEMU: &str = "qemu-system-x86_64";

/// What becomes of one claim where QEMU is what `qemu.pl` makes of it. It lies at the same place in each run, so that what it has saved is used again.
fn with_qemu(how: &str, claim: &str) -> Option<Told> {
    let kernel = kernel()?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("qemu");
    let script = folder.join(QEMU);
    let text = include_str!("qemu.pl");
    if !fs::read_to_string(&script).is_ok_and(|there| there == text) {
        place(&script, text);
    }
    let real = airtight::sandbox::program::find(QEMU).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let variables =
        [("PATH", Path::new(&path)), ("AIRTIGHT_TEST_QEMU", Path::new(how)), ("AIRTIGHT_TEST_REAL", &real)];
    let specs = tempfile::tempdir().unwrap();
    let told = one(run_with(&["--kernel", &kernel, &spec(specs.path(), claim)], &variables));
    Some(told)
}

/// Several tests may want it at once: each finds it whole.
fn place(script: &PathBuf, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let folder = script.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    let file = tempfile::NamedTempFile::new_in(folder).unwrap();
    fs::write(file.path(), text).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755)).unwrap();
    file.persist(script).unwrap();
}

const HOLDS: &str = "  holds: { timeout: 2m, inside: { pid: 1 } }\n";

#[test]
fn a_program_that_is_not_qemu_is_told_with_its_own_words() {
    let check = |how: &str, words: &[&str]| {
        let Some(told) = with_qemu(how, HOLDS) else { return };
        check(&told, "broken", &[&["QEMU did not start: "], words].concat());
    };
    check(
        "ends at once",
        &["it exited with 3", "it said: qemu-system-x86_64: it does not like this machine"],
    );
    check("says garbage", &["QEMU's control: ", "it has nothing else to say"]);
    check("never connects", &["it does not connect: it did nothing for 1"]);
}

/// Half a minute in all, or what is waited for would be done a second time.
#[test]
fn a_qemu_that_is_killed_says_nothing_of_the_kernel() {
    let claim = "  waits: { timeout: 2m, run: [sleep, '90'], exit: 0 }\n";
    let Some(told) = with_qemu("is killed", claim) else { return };
    check(&told, "broken", &["QEMU was killed by signal 9"]);
}

/// With a tenth of a CPU it is slow, and not wrong.
#[test]
fn a_qemu_that_is_starved_gets_there() {
    let Some(told) = with_qemu("is starved", HOLDS) else { return };
    check(&told, "passed", &[]);
}

#[test]
fn without_qemu_it_is_said_where_to_get_it() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    for program in std::env::split_paths(&path).flat_map(|folder| fs::read_dir(folder).into_iter().flatten())
    {
        let program = program.unwrap();
        if program.file_name() != QEMU {
            // The first of a name is the one that is found.
            let _ = std::os::unix::fs::symlink(program.path(), folder.path().join(program.file_name()));
        }
    }
    let specs = tempfile::tempdir().unwrap();
    let told = one(run_with(&["--kernel", &kernel, &spec(specs.path(), HOLDS)], &[("PATH", folder.path())]));
    check(
        &told,
        "broken",
        &["there is no program qemu-system-x86_64: in Debian the package qemu-system-x86 has it"],
    );
}
