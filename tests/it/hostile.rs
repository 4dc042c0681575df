//! Programs, images and agents that mean ill: each makes its own claim fail or break with a clear word, in bounded time and
//! memory, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

use crate::watch::{Over, Place};

/// More than the runner ever needs, and less than any of these programs offers it.
const MOST_MEMORY: u64 = 96 << 10;

/// (settings, the claim, the exit code, what is said): the claim is the body under its sentence, in the flow style of YAML.
type Case = (&'static str, &'static str, i32, &'static str);

fn check(cases: &[Case]) {
    for case in cases {
        check_on("native", &Place::new(), case);
    }
}

fn check_on(runtime: &str, place: &Place, (settings, claim, code, says): &Case) {
    let spec = format!("scenario: Hostile\nsandbox: {{ {settings} }}\nclaims:\n  holds: {{ {claim} }}\n");
    let over = place.run(&spec, runtime);
    assert_eq!(over.code, Some(*code), "{settings}, {claim}: {}", over.said);
    assert!(over.said.contains(says), "{settings}, {claim}: {}", over.said);
    assert!(over.peak < MOST_MEMORY, "{settings}, {claim}: {} KiB", over.peak);
    place.assert_untouched(&over, claim);
}

#[test]
fn output_that_does_not_end_is_not_kept() {
    let flooded = "the command flooded its output: it wrote more than 1 MiB";
    check(&[
        ("image: base", r#"exec: "yes x""#, 1, flooded),
        ("image: base", r#"exec: "yes x >&2""#, 1, flooded),
        ("image: base", r#"run: "yes x""#, 1, flooded),
        ("image: base", r#"exec: "exec cat /dev/zero""#, 1, flooded),
        ("image: base", r#"steps: [{ exec: "yes x", as: noisy }, { inside: { pid: 1 } }]"#, 0, "1 passed"),
        (
            "image: base",
            r#"exec: "head -c 1048576 /dev/zero | tr '\\0' x", stdout: { matches: "^x*$" }"#,
            0,
            "1 passed",
        ),
    ]);
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let late = "the command had not ended when the time was up";
    check(&[
        ("image: base", r#"timeout: 1s, exec: "exec <&- >&- 2>&-; sleep MARK""#, 1, late),
        ("image: base", r#"timeout: 1s, run: "exec <&- >&- 2>&-; sleep MARK""#, 1, late),
        ("image: base", r#"timeout: 1s, exec: "trap '' TERM INT HUP; sleep MARK; sleep MARK""#, 1, late),
        ("image: base", r#"timeout: 1s, run: "trap '' TERM INT HUP; sleep MARK; sleep MARK""#, 1, late),
        ("image: base", r#"exec: "setsid -f sleep MARK; echo done", stdout: done"#, 0, "1 passed"),
        ("image: base", r#"run: "setsid -f sleep MARK; echo done", stdout: done"#, 0, "1 passed"),
    ]);
}

#[test]
fn what_was_watched_for_too_short_a_time_does_not_pass() {
    let cut = "before the 1.5s for which it must stay so; raise its `timeout`";
    let slow = "timeout: 2s, steps: [{ exec: sleep 1 }, { stays: 1500ms, inside: { pid: 1 } }]";
    check(&[("image: base", slow, 4, cut)]);
}

#[test]
fn what_kills_in_its_own_sandbox_kills_no_more() {
    let all = "image: base, capabilities: { drop: [] }, seccomp: none";
    check(&[
        ("image: base", r#"steps: [{ exec: "kill -9 -1; true" }, { inside: { pid: 1 } }]"#, 0, "1 passed"),
        (all, r#"steps: [{ exec: "kill -STOP 1; kill -KILL 1" }, { inside: { pid: 1 } }]"#, 0, "1 passed"),
        (
            "image: base",
            r"steps: [{ kill: { process: first, from: host, signal: SIGKILL } }, { inside: { pid: 1 } }]",
            4,
            "the sandbox's first process was ended by SIGKILL",
        ),
        (
            "image: base",
            r"timeout: 1s, steps: [{ kill: { process: first, from: host, signal: SIGSTOP } }, { inside: { pid: 1 } }]",
            4,
            "the agent did not answer in time",
        ),
    ]);
}

/// The agent's pipes belong to the runner's user: one whom the sandbox's user namespace does not know is refused.
#[test]
fn what_reaches_for_the_agents_streams_is_found_out() {
    let own = if Uid::effective().is_root() { "image: base, new: [mount, pid]" } else { "image: base" };
    check(&[
        (
            own,
            r#"steps: [{ exec: "echo rubbish > /proc/1/fd/1" }, { inside: { pid: 1 } }]"#,
            4,
            "answered garbage in the agent's place: rubbish",
        ),
        (
            own,
            // Agent and thieves wake together, and either may be the one that reads.
            concat!(
                r#"timeout: 4s, steps: [{ exec: "for i in 1 2 3 4; do cat < /proc/1/fd/0 & done; echo > /tmp/ready; sleep MARK", as: thief }, "#,
                r#"{ within: 1s, exec: "test -e /tmp/ready" }, { exec: "sleep 0.3" }, "#,
                r#"{ stays: 2s, inside: { pid: 1 } }]"#
            ),
            4,
            "the agent did not answer in time",
        ),
    ]);
}

#[test]
fn what_fills_the_sandbox_does_not_fill_the_host() {
    let full = r#"stderr: { contains: "No space left on device" }"#;
    let fills = |command: &str, code: i32| -> &'static str {
        format!(r#"timeout: 60s, exec: "{command}", exit: {code}, {full}"#).leak()
    };
    check(&[
        (
            "image: base",
            fills("dd if=/dev/zero of=/big bs=1M count=1000 2>&1 >/dev/null | grep No >&2; exit 1", 1),
            0,
            "1 passed",
        ),
        ("image: base", fills("dd if=/dev/zero of=/dev/shm/big bs=1M count=100", 1), 0, "1 passed"),
        ("image: base", fills("dd if=/dev/zero of=/dev/big bs=1M count=100", 1), 0, "1 passed"),
        (
            "image: base",
            fills("mkdir /many; cd /many; seq 1 110000 | xargs touch 2>&1 | tail -n 1 >&2; exit 1", 1),
            0,
            "1 passed",
        ),
        (
            "image: base",
            fills("cd /dev/shm; seq 1 11000 | xargs touch 2>&1 | tail -n 1 >&2; exit 1", 1),
            0,
            "1 passed",
        ),
    ]);
}

#[test]
fn a_sandbox_that_takes_itself_apart_harms_nothing_else() {
    let all = "image: base, capabilities: { drop: [] }, seccomp: none";
    check(&[
        (
            all,
            r#"steps: [{ exec: "umount -l /proc; umount -l /dev; mount -o remount,ro /; true" }, { exec: "echo is there", stdout: is there }]"#,
            0,
            "1 passed",
        ),
        (
            all,
            r#"steps: [{ exec: "mount -t tmpfs none /; rm -rf /etc /usr; true" }, { inside: { pid: 1 } }]"#,
            0,
            "1 passed",
        ),
        (
            all,
            r#"steps: [{ exec: "hostname other; mount --bind /etc /proc; true" }, { inside: { uname: { sysname: Linux } } }]"#,
            0,
            "1 passed",
        ),
    ]);
}

#[test]
fn a_sandbox_that_cannot_be_set_up_says_why() {
    check(&[
        (
            "image: base, cwd: /nonexistent",
            "inside: { pid: 1 }",
            4,
            r#"chdir("/nonexistent") failed: ENOENT"#,
        ),
        (
            "image: base, mounts: [{ target: /x, source: /nonexistent }]",
            "inside: { pid: 1 }",
            4,
            r#"open("/nonexistent") failed: ENOENT"#,
        ),
        ("image: base, mounts: [{ target: /x, type: nosuch }]", "inside: { pid: 1 }", 4, "failed: ENODEV"),
        ("image: base, env: { PATH: /nowhere }", r#"run: "true""#, 4, r#"execve("sh") failed: ENOENT"#),
        (
            "image: base, command: [/nonexistent]",
            "steps: [{ within: 5s, outside: { alive: false, exit_code: 125 } }]",
            0,
            "",
        ),
        ("image: base, command: [sleep, '0.2']", r#"exec: "sleep MARK", exit: { not: 0 }"#, 1, "SIGKILL"),
    ]);
}

/// An ordinary user without subordinate ids maps one id alone, whichever is wanted; others map a range, in which this one is not.
#[test]
fn a_user_who_is_not_mapped_cannot_be_had() {
    let (code, says) = if maps_a_range() { (4, "setresuid(99999) failed: EINVAL") } else { (0, "1 passed") };
    check(&[
        ("image: base, user: { uid: 99999 }", "inside: { uid: 99999 }", code, says),
        ("image: base, user: { uid: 1000, gid: 7 }", r#"exec: "id -u; id -g", stdout: "1000\n7""#, 0, ""),
    ]);
}

fn maps_a_range() -> bool {
    let name = nix::unistd::User::from_uid(Uid::effective()).unwrap().map(|user| format!("{}:", user.name));
    let given = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let newuidmap = Path::new("/usr/bin/newuidmap").exists();
    Uid::effective().is_root()
        || newuidmap && name.is_some_and(|name| given.lines().any(|line| line.starts_with(&name)))
}

#[test]
fn a_command_line_that_is_too_long_is_told_so() {
    let claim: &'static str = format!("run: ['true', '{}']", "x".repeat(170_000)).leak();
    check(&[("image: base", claim, 4, "sendmsg(")]);
}

#[test]
fn few_descriptors_are_enough() {
    let place = Place::new();
    let spec = "scenario: Few\nclaims:\n  holds: { inside: { pid: 1 } }\n";
    let command = place.command(spec, "native");
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 40; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    limited
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(command.get_current_dir().unwrap());
    let over = place.watch(&mut limited).end();
    assert_eq!(over.code, Some(0), "{}", over.said);
}

#[test]
fn a_link_in_the_temporary_directory_is_not_followed() {
    let place = Place::new();
    let victim = place.path("victim");
    fs::create_dir_all(victim.join("stage")).unwrap();
    fs::write(victim.join("lock"), "").unwrap();
    let link = place.tmp().join(format!("airtight-{}-1-x", Uid::effective()));
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let over = place.run("scenario: Linked\nclaims:\n  holds: { inside: { pid: 1 } }\n", "native");
    assert_eq!(over.code, Some(0), "{}", over.said);
    assert!(victim.join("stage").exists() && victim.join("lock").exists());
    fs::remove_file(link).unwrap();
    place.assert_untouched(&over, "a link");
}

#[test]
fn a_hostile_image_leads_nowhere() {
    let links: [&[(&str, &str)]; 4] = [
        &[("proc", "/etc"), ("dev", "/"), ("sys", "/tmp")],
        &[("proc", "../../../../etc"), ("dev", "/dev"), ("sys", "sys")],
        &[("dev", "/proc/1/root/dev")],
        &[("proc", "/proc/self/root"), ("dev", "/nowhere/at/all")],
    ];
    for links in links {
        let place = Place::new();
        let over = run_image(&place, links);
        // What it comes to depends on the links; it is told in a word, and the host is as it was.
        assert!(matches!(over.code, Some(0 | 4)), "{links:?}: {}", over.said);
        assert!(over.code == Some(0) || over.said.contains("failed: E"), "{links:?}: {}", over.said);
        place.assert_untouched(&over, &format!("{links:?}"));
        for untouched in ["/etc/self", "/etc/null", "/nowhere"] {
            assert!(!Path::new(untouched).exists(), "{links:?}: {untouched}");
        }
    }
}

fn run_image(place: &Place, links: &[(&str, &str)]) -> Over {
    let tree = place.path("tree");
    for directory in ["etc", "tmp"] {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    mkfifo(&tree.join("etc/passwd"), Mode::S_IRWXU).unwrap();
    for (name, target) in links {
        std::os::unix::fs::symlink(target, tree.join(name)).unwrap();
    }
    let archive = place.path("hostile.tar");
    let packed = Command::new("tar")
        .args(["-C", tree.to_str().unwrap(), "-cf"])
        .arg(&archive)
        .arg(".")
        .status()
        .unwrap();
    assert!(packed.success());
    place.run(
        "scenario: Image\nsandbox: { image: ./hostile.tar }\nclaims:\n  holds: { inside: { pid: 1 } }\n",
        "native",
    )
}

/// The liar lies where the agent's loader does.
macro_rules! liars_mounts {
    () => {
        "flags: [--fork, --mount-proc], mounts: [{ target: /.airtight/ld.so, source: ./liar }, { target: /zero, source: /dev/zero }]"
    };
}

/// In the place of the agent of a runtime that executes it: a script over the loader that the agent is started with.
#[test]
fn a_liar_in_the_agents_place_is_found_out() {
    let hello = r#"for token; do :; done; echo "{\"token\":\"$token\",\"pid\":1}"; read -r line;"#;
    let cases = [
        ("echo rubbish".to_owned(), "answered garbage in the agent's place: rubbish"),
        ("exit 0".to_owned(), "the agent closed its streams without an answer"),
        ("echo why >&2".to_owned(), "it said: why"),
        ("exec sleep MARK".to_owned(), "the agent did not answer in time"),
        ("printf aaaa; exec sleep MARK".to_owned(), "the agent did not answer in time: aaaa"),
        (
            "exec tr '\\0' a < /zero".to_owned(),
            "what came in the agent's place is longer than 16777216 bytes: aaaa",
        ),
        (
            r#"echo "{\"token\":\"guess\",\"pid\":1}""#.to_owned(),
            r#"another agent answered: its token is "guess""#,
        ),
        (format!("{hello} sleep MARK"), "carries its token, but runs /"),
    ];
    for (script, says) in cases {
        let place = Place::new();
        let path = place.path("liar");
        fs::write(&path, format!("#!/bin/sh\n{}\n", script.replace("MARK", &place.mark))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = if Uid::effective().is_root() {
            concat!("image: base, new: [mount, pid], ", liars_mounts!())
        } else {
            concat!("image: base, new: [user, mount, pid], ", liars_mounts!())
        };
        check_on("unshare", &place, &(settings, "timeout: 2s, inside: { pid: 1 }", 4, says));
    }
}

/// As root, who alone may limit here; where limits cannot be set the claim says so.
#[test]
fn a_fork_bomb_is_contained() {
    let bomb = r#"timeout: 2s, exec: "f() { f | f & }; f; exec sleep MARK""#;
    let (code, says) = if Uid::effective().is_root() {
        (1, "the command had not ended when the time was up")
    } else {
        (3, "the limit `pids` cannot be set here")
    };
    check(&[
        ("image: base, limits: { pids: 30 }", bomb, code, says),
        ("image: base, limits: { pids: 30 }, new: [user, mount]", bomb, code, says),
    ]);
}

/// What was made before a failure is removed again.
#[test]
fn a_failure_leaves_no_cgroup() {
    if Uid::effective().is_root() {
        let settings =
            "image: base, limits: { pids: 9 }, user: { map: [{ inside: 0, outside: 4294967295, count: 5 }] }";
        check(&[(settings, "inside: { pid: 1 }", 4, "uid_map")]);
    } else {
        check(&[(
            "image: base, limits: { pids: 9 }",
            "inside: { pid: 1 }",
            3,
            "the limit `pids` cannot be set here",
        )]);
    }
}
