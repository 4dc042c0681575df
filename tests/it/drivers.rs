//! Runtimes that misbehave, each a shell script with a file that describes it: each gives a clear word, in bounded time, and leaves
//! nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::unistd::Uid;

use crate::watch::{Over, Place, eventually};

/// A claim that only looks, and one after which something else was done.
const LOOKS: &str = "timeout: 6s, inside: { uid: 0 }";
const LOOKS_AGAIN: &str =
    "timeout: 12s, steps: [{ inside: { uid: 0 } }, { exec: sleep 2 }, { inside: { uid: 0 } }]";

/// The runtime's file: MORE is what a test adds.
const FILE: &str = "runtime: faulty
about: A runtime that misbehaves.
program: PROGRAM
needs: [root]
patience: 2s
MORE
";

/// What is in the file of a runtime that makes a sandbox of a directory.
const DIRECTORY: &str = "version: { run: ['{program}', version], matches: 'faulty (\\S+)' }
rootfs: directory
run: ['{program}', run, '{rootfs}', '{state}', '{command}']";

/// The start of its program. `sound` is a runtime that does what it should.
const SCRIPT: &str = r#"#!/bin/sh
mode=$1; shift
[ "$mode" = version ] && { echo "faulty 1.0"; exit; }
rootfs=$1 state=$2; shift 2
for token; do :; done
sound() { unshare --mount --pid --fork --kill-child chroot "$rootfs" "$@"; }
"#;

/// A runtime that misbehaves.
struct Faulty {
    place: Place,
}

impl Faulty {
    /// `more` is added to its file, and `script` is its program.
    fn new(more: &str, script: &str) -> Self {
        let place = Place::new();
        let program = place.path("faulty");
        fs::write(&program, script.replace("MARK", &place.mark)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let text = FILE.replace("PROGRAM", program.to_str().unwrap()).replace("MORE", more);
        fs::write(place.path("faulty.yaml"), text.replace("MARK", &place.mark)).unwrap();
        Self { place }
    }

    fn command(&self, claims: &str) -> std::process::Command {
        let spec = format!("scenario: Faulty\nsandbox: {{ image: base }}\nclaims:\n{claims}");
        let mut command = self.place.command(&spec, "faulty");
        command.arg("--runtime-file").arg(self.place.path("faulty.yaml"));
        command
    }

    fn run(&self, claims: &str) -> Over {
        self.place.begin(&self.command(claims)).end()
    }

    /// Runs one claim, and holds how that ends.
    fn check(&self, what: &str, claim: &str, code: i32, says: &[&str]) {
        let over = self.run(&format!("  holds: {{ {claim} }}\n"));
        assert_eq!(over.code, Some(code), "{what}: {}", over.said);
        for says in says {
            assert!(over.said.contains(says), "{what} does not say {says:?}: {}", over.said);
        }
        self.place.assert_untouched(&over, what);
    }
}

/// Its program does this when it is to run something.
fn check(body: &str, claim: &str, code: i32, says: &[&str]) {
    if is_root() {
        Faulty::new(DIRECTORY, &format!("{SCRIPT}{body}\n")).check(body, claim, code, says);
    }
}

/// Its file has this, and its program does that whatever it is asked.
fn check_file(more: &str, script: &str, code: i32, says: &[&str]) {
    if is_root() {
        let what = format!("{more}\n{script}");
        Faulty::new(more, &format!("#!/bin/sh\n{script}\n")).check(&what, LOOKS, code, says);
    }
}

fn is_root() -> bool {
    let is_root = Uid::effective().is_root();
    if !is_root {
        eprintln!("not measured: without root there is no root filesystem for a runtime that is a directory");
    }
    is_root
}

#[test]
fn what_does_as_it_should_passes() {
    check(r#"sound "$@""#, LOOKS_AGAIN, 0, &["1 passed"]);
}

/// One that keeps book of its sandboxes as a daemon does, and where it is told so removes each that has ended, unless it forgets to.
#[test]
fn what_removes_itself_is_deleted_only_where_it_has_not() {
    if !is_root() {
        return;
    }
    let file = "version: { run: ['{program}', version], matches: 'faulty (\\S+)' }
rootfs: directory
run: ['{program}', run, '{removes_itself}', '{rootfs}', '{id}', '{command}']
exec: ['{program}', exec, '{command}']
reports: { state: { run: ['{program}', state], status: /status } }
list: ['{program}', list]
delete: ['{program}', delete, '{id}']
removes_itself: [--rm]";
    let script = r#"#!/bin/sh
cd "${0%/*}"
mode=$1; shift
case $mode in
version) echo "faulty 1.0" ;;
state) echo '{"status":"running"}' ;;
list) cat kept ;;
delete) echo "$1" >>deleted; rm kept ;;
run)
    [ "$1" != --rm ] || { touch told; shift; }
    rootfs=$1; echo "$2" >kept; shift 2
    unshare --mount --pid --fork --kill-child chroot "$rootfs" "$@"
    code=$?
    [ ! -e told ] || [ -e forgets ] || rm kept
    exit $code ;;
esac
"#;
    let asks = "outside: { reports: { state: { status: running } } }";
    for (claim, forgets, told) in
        [(LOOKS, false, true), (LOOKS, true, true), (asks, false, false), (asks, true, false)]
    {
        let case = format!("{claim}, forgets: {forgets}");
        let faulty = Faulty::new(file, script);
        let place = &faulty.place;
        if forgets {
            fs::write(place.path("forgets"), "").unwrap();
        }
        faulty.check("removes itself", claim, 0, &["1 passed"]);
        assert_eq!(place.path("told").exists(), told, "{case}");
        let deleted = fs::read_to_string(place.path("deleted")).unwrap_or_default();
        assert_eq!(deleted.lines().count(), usize::from(forgets || !told), "{case}: {deleted}");
        assert!(!place.path("kept").exists(), "{case}");
    }
}

/// Its command is told which signal, and what it does is not what it says that it did.
#[test]
fn a_signal_that_the_runtime_does_not_send_is_seen() {
    if !is_root() {
        return;
    }
    let file = "version: { run: ['{program}', version], matches: 'faulty (\\S+)' }
rootfs: directory
run: ['{program}', run, '{rootfs}', '{command}']
exec: ['{program}', exec, '{command}']
kill: ['{program}', kill, '{id}', '{signal}']";
    let script = |kill: &str| {
        format!(
            "#!/bin/sh\ncd \"${{0%/*}}\"\nmode=$1; shift\ncase $mode in\nversion) echo \"faulty 1.0\" ;;
kill) echo \"$2\" >told; {kill} ;;
run) rootfs=$1; shift; echo $$ >pid; exec chroot \"$rootfs\" \"$@\" ;;\nesac\n"
        )
    };
    let claim = "steps: [{ kill: { process: first, from: runtime, signal: SIGKILL } }, { within: 1s, outside: { alive: false } }]";
    for (kill, code, says) in [
        ("kill -9 \"$(cat pid)\"", 0, "1 passed"),
        ("true", 1, "expected false, observed true"),
        ("echo 'no such container' >&2; exit 1", 1, "the signal could not be sent: "),
    ] {
        let faulty = Faulty::new(file, &script(kill));
        faulty.check(kill, claim, code, &[says]);
        assert_eq!(fs::read_to_string(faulty.place.path("told")).unwrap(), "SIGKILL\n", "{kill}");
    }
    let mute = Faulty::new(&file.replace("kill: [", "# ["), &script("true"));
    mute.check("no kill", claim, 3, &["faulty has no command that sends signals"]);
}

/// What is known fails without being red, and everything else is judged as ever.
#[test]
fn what_its_file_knows_is_no_failure() {
    if !is_root() {
        return;
    }
    let known =
        "known_issues: [{ because: it has one user, link: 'https://x', claims: ['Faulty::is known*'] }]";
    let faulty = Faulty::new(&format!("{DIRECTORY}\n{known}"), &format!("{SCRIPT}sound \"$@\""));
    let known = "  is known to fail: { inside: { uid: 5 } }\n  is known, and holds: { inside: { uid: 0 } }\n";
    let over = faulty.run(known);
    assert_eq!(over.code, Some(0), "{}", over.said);
    for says in ["1 passed", "0 failed", "known issue: it has one user (https://x)"] {
        assert!(over.said.contains(says), "{says:?} is not said: {}", over.said);
    }
    let over =
        faulty.run("  is known to fail: { inside: { uid: 5 } }\n  is not known: { inside: { uid: 5 } }\n");
    assert_eq!(over.code, Some(1), "{}", over.said);
    assert!(over.said.contains("1 failed"), "{}", over.said);
}

#[test]
fn what_starts_nothing_is_told() {
    let silent = "faulty started no sandbox: the agent closed its streams without an answer";
    check(
        "echo waiting >&2; exec sleep MARK",
        "timeout: 2s, inside: { uid: 0 }",
        4,
        &["faulty started no sandbox: the agent did not answer in time", "it said: waiting"],
    );
    check("echo nothing to do >&2", LOOKS, 4, &[silent, "; it exited with 0; it said: nothing to do"]);
    check("echo why >&2; exit 1", LOOKS, 4, &[silent, "; it exited with 1; it said: why"]);
    check("kill -9 $$", LOOKS, 4, &[silent, "; it was ended by SIGKILL"]);
    check("exec no-such-program", LOOKS, 4, &[silent, "; it exited with 127; it said: ", "no-such-program"]);
}

/// Where nothing is expected but the exit.
#[test]
fn a_command_that_was_never_run_does_not_pass() {
    let silent = "faulty started no sandbox: the agent closed its streams without an answer";
    check("exit 0", "timeout: 6s, run: \"true\"", 4, &[silent]);
    check(r#"sound "$@""#, "timeout: 6s, run: \"true\"", 0, &["1 passed"]);
}

#[test]
fn what_speaks_on_the_agents_stream_is_told() {
    let garbage = "answered garbage in the agent's place: ";
    check(r#"echo Starting; sound "$@""#, LOOKS, 4, &["faulty started no sandbox: ", garbage, "Starting"]);
    let between = r#"sound "$@" | while IFS= read -r line; do echo "$line"; echo chatter; done"#;
    check(between, LOOKS, 4, &[garbage, "chatter"]);
    check("exec yes", LOOKS, 4, &[garbage, "y"]);
    check(
        "exec tr '\\0' a < /dev/zero",
        LOOKS,
        4,
        &["what came in the agent's place is longer than", "aaaa"],
    );
    // Nobody reads so much of its standard error, and it waits.
    check(r#"yes MARK >&2 & sound "$@""#, LOOKS, 0, &["1 passed"]);
    check(
        "exec yes x >&2",
        "timeout: 2s, inside: { uid: 0 }",
        4,
        &["faulty started no sandbox: ", "it said: x"],
    );
}

#[test]
fn what_ends_before_its_sandbox_is_told() {
    let deserted = "the runtime exited with 3, and what it started goes on without it";
    check(r#"exec 3<&0; sound "$@" <&3 & sleep 1; exit 3"#, LOOKS_AGAIN, 4, &[deserted]);
    check(
        r#"exec 3<&0; sound "$@" <&3 & sleep 1; exit 3"#,
        &LOOKS_AGAIN.replace("{ inside: { uid: 0 } }]", "{ exec: \"true\" }]"),
        4,
        &[deserted],
    );
    // The container ends with it.
    check(r#"exec 3<&0; sound "$@" <&3 & sleep 1; kill $!; kill -9 $$"#, LOOKS_AGAIN, 4, &["broken"]);
}

#[test]
fn what_it_leaves_running_ends_with_its_sandbox() {
    let check = |leaves: &str| check(leaves, LOOKS, 0, &["1 passed"]);
    check(r#"setsid -f sleep MARK <&- >&- 2>&-; sound "$@""#);
    check(r#"setsid -f unshare --mount --pid --fork sleep MARK <&- >&- 2>&-; sound "$@""#);
    check(r#"setsid -f env -i sleep MARK <&- >&- 2>&-; sound "$@""#);
    check(r#"setsid -f nsenter --target 1 --mount sleep MARK <&- >&- 2>&-; sound "$@""#);
    // PID 1 of the container is another process than the agent, and goes on after that.
    check(
        r#"unshare --mount --pid --fork sh -c 'rootfs=$1; shift; exec 3<&0; chroot "$rootfs" "$@" <&3 & trap "" TERM; sleep MARK' sh "$rootfs" "$@""#,
    );
}

/// Not only at the end of the run: while the second sandbox is there, only its own is left.
#[test]
fn what_it_leaves_running_ends_before_the_next_sandbox() {
    if !is_root() {
        return;
    }
    let script = format!("{SCRIPT}setsid -f unshare --pid --fork sleep MARK <&- >&- 2>&-; sound \"$@\"\n");
    let faulty = Faulty::new(DIRECTORY, &script);
    // Each does something, and has a sandbox of its own.
    let claims = "  leaves something: { exec: touch /one }\n  finds its own: { exec: sleep 3; touch /two }\n";
    let mut command = faulty.command(claims);
    let mut run = faulty.place.begin(command.args(["--jobs", "1"]));
    run.until_asleep(1, "the runtime leaves something");
    let first = faulty.place.sleeping();
    eventually("the next sandbox has another one, and the first one's has ended", || {
        let now = faulty.place.sleeping();
        now.len() == 1 && now != first
    });
    let over = run.end();
    faulty.place.assert_untouched(&over, "two sandboxes");
}

#[test]
fn what_pretends_to_be_the_agent_is_found_out() {
    let hello = r#"printf '{"token":"%s","pid":%s}\n' "$token" $$; read -r line; sleep MARK"#;
    let found = "the agent's process cannot be found from the host: ";
    check(hello, LOOKS, 4, &[found, "carries its token, but runs /"]);
    let relay = r#"sound "$@" | sed -u "1s/\"pid\":[0-9]*/\"pid\":$$/""#;
    check(relay, LOOKS, 4, &[found, "ends in 1, and it says that its PID is "]);
    let named = r#"mkdir "$state/.airtight"; cp /bin/sh "$state/.airtight/airtight"
        exec "$state/.airtight/airtight" -c 'printf "{\"token\":\"%s\",\"pid\":%s}\n" "$1" $$; read -r line; sleep MARK' sh "$token""#;
    check(named, LOOKS, 4, &[found, ".airtight/airtight, which is not this program"]);
}

#[test]
fn another_root_than_asked_for_is_found_out() {
    let other = r#"exec unshare --mount --pid --fork sh -c 'other=$1/other; mkdir "$other"; mount -t tmpfs none "$other"; mkdir "$other/.airtight"
        mount --rbind "$2/.airtight" "$other/.airtight"; shift 2; exec chroot "$other" "$@"' sh "$state" "$rootfs" "$@""#;
    check(
        other,
        LOOKS,
        4,
        &[
            "the agent's process cannot be found from the host: the root of process ",
            "and the one that the runtime was given on device ",
        ],
    );
    if is_root() {
        // Its file may say so.
        let faulty = Faulty::new(&format!("{DIRECTORY}\ncopies_root: true"), &format!("{SCRIPT}{other}\n"));
        faulty.check("a root of its own", LOOKS, 0, &["1 passed"]);
    }
}

#[test]
fn an_exec_that_leads_elsewhere_is_found_out() {
    let file = format!("{DIRECTORY}\nexec: ['{{program}}', exec, '{{rootfs}}', '{{state}}', '{{command}}']");
    let elsewhere =
        "what the runtime started as a further process is not in the sandbox: its mount namespace is mnt:[";
    let claims =
        ["timeout: 9s, exec: \"true\"", "timeout: 9s, steps: [{ join: other }, { other: { uid: 0 } }]"];
    for claim in claims.into_iter().filter(|_| is_root()) {
        let faulty = Faulty::new(&file, &format!("{SCRIPT}sound \"$@\"\n"));
        faulty.check(claim, claim, 4, &[elsewhere]);
    }
}

#[test]
fn a_program_that_is_another_is_told() {
    let another = "printed no version of faulty, which matches `faulty (\\S+)`; it said: other 2.0";
    check_file(DIRECTORY, "echo other 2.0", 4, &[another]);
    check_file(
        DIRECTORY,
        "echo what do you mean >&2; exit 2",
        4,
        &["version`: exit status: 2; it said: what do you mean"],
    );
    check_file(DIRECTORY, "exec sleep MARK", 4, &["version`: did not end within 2s"]);
    check_file(DIRECTORY, "setsid -f sleep MARK; echo other 2.0", 4, &[another]);
    if !is_root() {
        return;
    }
    let faulty = Faulty::new(DIRECTORY, "#!/bin/sh\necho other 2.0\n");
    let listed = std::process::Command::new(env!("CARGO_BIN_EXE_airtight"))
        .args(["runtime", "ls", "--runtime-file"])
        .arg(faulty.place.path("faulty.yaml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&listed.stdout);
    let line = said.lines().find(|line| line.starts_with("faulty ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("not usable: ") && line.contains(another), "{line}");
}

#[test]
fn a_configuration_that_is_none_is_told() {
    let file = "version: { run: [echo, faulty 1.0], matches: 'faulty (\\S+)' }
rootfs: bundle
bundle: ['{program}', spec, '{bundle}']
run: ['{program}', run, '{bundle}']";
    let bundle = "the agent cannot be brought into the image: ";
    check_file(
        file,
        "echo usage: faulty spec",
        4,
        &[bundle, "made no config.json: ", ": usage: faulty spec"],
    );
    check_file(file, "echo '[1]'", 4, &[bundle, "made no config.json: it is no object: [1]"]);
    check_file(file, "true", 4, &[bundle, "made no config.json: "]);
    check_file(file, "echo no >&2; exit 7", 4, &[bundle, "exit status: 7; it said: no"]);
    check_file(file, "sleep MARK", 4, &[bundle, "did not end within 2s"]);
    check_file(file, "cat /dev/zero", 4, &[bundle, "wrote more than 1 MiB"]);
    // The configuration is good, and what it is for is not done.
    check_file(file, "[ $1 = spec ] && echo '{}'", 4, &["faulty started no sandbox: ", "; it exited with 1"]);
}

#[test]
fn an_engine_that_does_not_do_its_part_is_told() {
    let file = |import: &str, ready: &str| {
        format!(
            "version: {{ run: [echo, faulty 1.0], matches: 'faulty (\\S+)' }}
rootfs: imported
image: {{ has: ['false'], import: [sh, -c, '{import}'], list: ['true'], remove: ['true'] }}
ready: [sh, -c, '{ready}']
delete: [sleep, 'MARK']
run: ['{{program}}', '{{image}}', '{{agent}}', '{{command}}']"
        )
    };
    let image = "the image cannot be given to the runtime: ";
    check_file(
        &file("echo no space >&2; exit 1", "true"),
        "true",
        4,
        &[image, "exit status: 1; it said: no space"],
    );
    check_file(&file("sleep MARK", "true"), "true", 4, &[image, "did not end within 12s"]);
    check_file(
        &file("cat >/dev/null", "echo no daemon >&2; exit 1"),
        "true",
        3,
        &["skipped", "it said: no daemon"],
    );
    check_file(&file("cat >/dev/null", "sleep MARK"), "true", 4, &["did not end within 2s"]);
    check_file(
        &file("cat >/dev/null", "true"),
        "echo gone >&2",
        4,
        &["faulty started no sandbox: ", "it said: gone"],
    );
}
