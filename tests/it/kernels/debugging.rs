//! What there is for whoever looks for the reason of a failure: a boot that can be repeated, the console, a debugger, a shell.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::a_kernel;

fn airtight(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
    command.args(arguments).env_remove("AIRTIGHT_REQUIRE");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn spec(folder: &Path, claims: &str) -> PathBuf {
    let path = folder.join("spec.yaml");
    let text =
        format!("scenario: A kernel\nneeds: [vm, root]\nsandbox: {{ image: base }}\nclaims:\n{claims}");
    fs::write(&path, text).unwrap();
    path
}

/// A list with this kernel under a name of its own, with a word of its command line.
fn list(folder: &Path, kernel: &str, name: &str, word: &str) -> PathBuf {
    let path = folder.join("kernels.yaml");
    fs::write(&path, format!("kernels:\n  - name: {name}\n    path: {kernel}\n    append: [{word}]\n"))
        .unwrap();
    path
}

const HOLDS: &str = "  holds: { inside: { pid: 1 } }\n";

fn bisect(arguments: &[&str]) -> (Option<i32>, String) {
    let output = airtight(&["run", "--bisect"]).args(arguments).output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// A kernel that does not come up is no judgement; and what it was booted from boots it again, and lets it end the same way.
#[test]
fn a_boot_that_failed_can_be_repeated() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (spec, kept) = (spec(folder.path(), HOLDS), folder.path().join("kept"));
    let list = list(folder.path(), &kernel, "without-init", "rdinit=/nowhere");
    let words = ["--kernels", list.to_str().unwrap(), "--keep-vm", kept.to_str().unwrap()];
    let (code, said) = bisect(&[&words, [spec.to_str().unwrap()].as_slice()].concat());
    assert_eq!(code, Some(125), "{said}");
    let folder = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("without-init-"), "{folder:?}");
    let script = folder.join("repro.sh");
    assert!(said.contains(script.to_str().unwrap()), "{said}");
    let again = Command::new("timeout").arg("300").arg(script).stdin(Stdio::null()).output().unwrap();
    let again = text(&again.stdout);
    for words in ["Linux version ", "rdinit=/nowhere", "Kernel panic - not syncing"] {
        assert!(again.contains(words), "{words}: {again}");
    }
}

/// What a process has left that was killed by a signal is on the host afterwards, and no core of another is.
#[test]
fn core_dumps_are_brought_out() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  dies: { exec: [sh, -c, 'kill -SEGV $$'], signal: SIGSEGV }\n  goes: { exec: [sh, -c, 'kill -TERM $$'], signal: SIGTERM }\n";
    let (spec, kept) = (spec(folder.path(), claims), folder.path().join("kept"));
    let words = ["--kernel", &kernel, "--keep-vm", kept.to_str().unwrap(), spec.to_str().unwrap()];
    let output = airtight(&["run"]).args(words).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}{}", text(&output.stdout));
    let mut said = told.lines().filter(|line| line.contains("is of a process that died while `A kernel`"));
    let line = said.next().unwrap_or_else(|| panic!("{told}"));
    assert_eq!(said.next(), None, "{told}");
    let path = line.trim_start_matches("note: ").split(' ').next().unwrap();
    let mut core = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut core).unwrap();
    // ET_CORE, elf(5).
    assert_eq!((&core[..4], &core[16..18]), (b"\x7fELF".as_slice(), [4, 0].as_slice()), "{path}");
}

/// git-bisect(1): good, bad, not to be judged, and not to go on with.
#[test]
fn git_bisect_is_told_what_it_asks() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let check = |claims: &str, further: &[&str], expected: i32| {
        let spec = spec(folder.path(), claims);
        let (code, said) = bisect(&[further, [spec.to_str().unwrap()].as_slice()].concat());
        assert_eq!(code, Some(expected), "{claims} {further:?}: {said}");
    };
    let on = ["--kernel", kernel.as_str()];
    check(HOLDS, &on, 0);
    check("  does not hold: { inside: { pid: 2 } }\n", &on, 1);
    check("  ends it: { host.run: 'echo c >/proc/sysrq-trigger', inside: { pid: 1 } }\n", &on, 1);
    check("  is judged nowhere: { needs: [kernel >= 99], inside: { pid: 1 } }\n", &on, 125);
    let no_kernel = folder.path().join("bzImage");
    fs::write(&no_kernel, "the build has failed").unwrap();
    check(HOLDS, &["--kernel", no_kernel.to_str().unwrap()], 125);
    check("  is wrong: { inside: { pit: 1 } }\n", &on, 128);
    check(HOLDS, &["--no-such-option"], 128);
}

/// Each line with the kernel's name, and what a claim has it say among them.
#[test]
fn the_console_is_told_while_the_run_goes_on() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  says it: { host.run: \"printf 'made up by a \\\\033test\\\\n' >/dev/kmsg\", inside: { pid: 1 } }\n";
    let spec = spec(folder.path(), claims);
    let output =
        airtight(&["run", "--console", "--kernel", &kernel, spec.to_str().unwrap()]).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let mut said = told.lines().filter(|line| !line.starts_with("note: "));
    assert!(said.all(|line| line.starts_with("6.") && line.contains("-amd64: ")), "{told}");
    for words in [": [    0.000000] Linux version ", "made up by a \\u{1b}test"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!text(&output.stdout).contains("Linux version"));
}

/// What is to be seen of a VM needs one.
#[test]
fn the_hosts_kernel_has_no_console_to_tell() {
    for option in ["--console", "--gdb", "--keep-vm=x"] {
        let output = airtight(&["run", option, "specs/pid"]).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("name one with --kernel"), "{said}");
    }
}

/// The VM stands still until the debugger lets it go on, and the claim is judged then.
#[test]
fn a_vm_waits_for_the_debugger() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(folder.path(), HOLDS);
    let mut run = airtight(&["run", "--gdb", "--kernel", &kernel, spec.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(run.stderr.take().unwrap());
    let line = line_with(&mut told, "target remote ");
    let program = line.split('\'').nth(1).unwrap();
    assert_eq!(fs::read(program).unwrap()[..4], *b"\x7fELF", "{line}");
    let socket = line.trim_end().trim_end_matches('\'').rsplit(' ').next().unwrap();
    let mut stub = UnixStream::connect(socket).unwrap();
    stub.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // It stands still: a stub answers with the signal that has stopped its CPU, and nothing while that runs.
    assert!(asked(&mut stub, "?").starts_with('T'));
    assert!(run.try_wait().unwrap().is_none());
    assert_eq!(asked(&mut stub, "D"), "OK");
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

/// What the stub answers: gdb's remote protocol, with `$`, the words, `#` and a sum (gdb's manual, appendix E).
fn asked(stub: &mut UnixStream, words: &str) -> String {
    let sum = words.bytes().fold(0_u8, u8::wrapping_add);
    stub.write_all(format!("+${words}#{sum:02x}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while byte != *b"#" {
        stub.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let answer = text(&answer);
    answer.split(['$', '#']).nth(1).unwrap().to_owned()
}

fn line_with(told: &mut impl BufRead, words: &str) -> String {
    let mut all = String::new();
    loop {
        let begin = all.len();
        assert_ne!(told.read_line(&mut all).unwrap(), 0, "no `{words}` in {all}");
        if all[begin..].contains(words) {
            return all[begin..].to_owned();
        }
    }
}

fn shell(kernel: &str, specs: &[&str], commands: &str) -> Output {
    // No budget ends a VM that somebody is at.
    let mut command = Command::new("timeout");
    command.args(["300", env!("CARGO_BIN_EXE_airtight"), "vm", "shell", "--kernel", kernel]);
    let child = command.args(specs).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(commands.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Commands from a pipe: both streams, more than the line takes at once, the shell's exit code; and airtight with the specs.
#[test]
fn a_shell_takes_commands_from_a_pipe() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let claims = "  holds: { inside: { pid: 1 } }\n  does not hold: { inside: { pid: 2 } }\n";
    let spec = spec(folder.path(), claims);
    let long = "x".repeat(20_000);
    let commands = format!(
        "id -u; cat /proc/1/comm; uname -r >&2\nlong={long}\necho ${{#long}}\nprintf '\\000\\377' | od -An -tx1\n\
         airtight run --format json specs; echo \"judged $?\"\nsleep 1000 &\nexit 7\necho never\n"
    );
    let output = shell(&kernel, &[spec.to_str().unwrap()], &commands);
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(7), "{said}\n{errors}");
    assert!(said.starts_with("0\ninit\n20000\n 00 ff\n"), "{said}\n{errors}");
    assert!(errors.starts_with("6.") && !errors.contains("error"), "{errors}");
    let outcomes = said.lines().filter(|line| line.starts_with('{')).map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["outcome"].as_str().unwrap_or_default().to_owned()
    });
    assert_eq!(outcomes.collect::<Vec<_>>(), ["passed", "failed", ""], "{said}\n{errors}");
    assert!(said.ends_with("judged 1\n"), "{said}");
}

/// Every shell has a kernel of its own, which may die in it.
#[test]
fn a_shell_may_end_its_kernel() {
    let Some(kernel) = a_kernel() else { return };
    let output = shell(&kernel, &[], "echo here; echo c >/proc/sysrq-trigger; sleep 1000\n");
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), "here\n"), "{said}");
    assert!(said.contains("Kernel panic - not syncing: sysrq triggered crash"), "{said}");
}
