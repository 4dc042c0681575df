//! Landlock: landlock(7). Rights by the version of the ABI that brought them.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::sys::ptrace;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::unistd::{Pid, mkfifo};
use rustix::thread::set_no_new_privs;

use super::Experiment;
use super::child::{start, within};
use super::ground::{directory, file, open_directory, own_scratch, without_capabilities};
use super::pid::waits;
use super::pidfd::{failed, number};
use super::seen::{Number, Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::landlock::{self, Handled};

/// `LANDLOCK_ACCESS_FS_*`, include/uapi/linux/landlock.h.
const EXECUTE: u64 = 1;
const WRITE: u64 = 1 << 1;
const READ: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
/// `LANDLOCK_ACCESS_NET_*`
const BIND: u64 = 1;
const CONNECT: u64 = 1 << 1;
/// `LANDLOCK_SCOPE_*`
const ABSTRACT: u64 = 1;
const SIGNAL: u64 = 1 << 1;

const RIGHTS: &[&str] = &[
    "execute",
    "write",
    "read",
    "read_dir",
    "remove_dir",
    "remove_file",
    "make_dir",
    "make_reg",
    "make_sock",
    "make_fifo",
    "make_sym",
    "truncate",
    "ioctl_dev",
    "refer",
];

pub(super) const ALL: &[Experiment] = &[
    Experiment::plain("landlock_abi", "landlock_create_ruleset(LANDLOCK_CREATE_RULESET_VERSION)", abi),
    Experiment::of(
        "landlock_ruleset",
        &["no_rights", "short", "unknown_right", "version_with_size", "unknown_flag"],
        "landlock_create_ruleset() with wrong operands",
        ruleset,
    ),
    Experiment::of(
        "landlock_rule",
        &["type", "not_handled", "no_rights", "no_ruleset", "file"],
        "landlock_add_rule() with wrong operands",
        rule,
    ),
    Experiment::of(
        "landlock_restrict",
        &["no_right", "flags", "no_ruleset"],
        "landlock_restrict_self() without no_new_privs and CAP_SYS_ADMIN, or with wrong operands",
        restrict,
    ),
    Experiment::counted("landlock_layers", 64, "so many landlock_restrict_self(), the last of them", layers),
    Experiment::of(
        "landlock",
        RIGHTS,
        "what this right is for, where a ruleset handles it and no rule allows it",
        refused,
    ),
    Experiment::of("landlock_allowed", RIGHTS, "the same where a rule allows it", granted),
    Experiment::of(
        "landlock_topology",
        &["mount", "umount", "pivot_root", "remount", "move"],
        "a change of mounts by root of a user namespace, who is restricted in whatever way",
        topology,
    ),
    Experiment::of(
        "landlock_inherited",
        &["fork", "exec", "layers"],
        "write() in a child of who may not; in a layer that allows it below one that does not",
        inherited,
    ),
    Experiment::of(
        "landlock_opened",
        &["before", "bind_mount"],
        "write() to a file that was opened before; to a file by another mount of its directory",
        opened,
    ),
    Experiment::of(
        "landlock_ptrace",
        &["outside", "inside"],
        "ptrace() of a process that is not restricted, or of one with the same restrictions",
        trace,
    ),
    Experiment::of(
        "landlock_port",
        &["bind", "connect", "bind_allowed", "connect_allowed", "unix"],
        "bind() or connect() of a TCP port, where a ruleset handles ports",
        port,
    ),
    Experiment::of(
        "landlock_scope",
        &["signal_outside", "signal_inside", "abstract_outside", "abstract_inside"],
        "kill() and connect() to an abstract socket, beyond the scope and within",
        scope,
    ),
];

fn abi(_: &str) -> Seen {
    gave(landlock::abi().prepares("landlock_create_ruleset()")?.to_string())
}

fn of_files(files: u64) -> Handled {
    Handled { files, ..Handled::default() }
}

fn new_ruleset(handled: Handled) -> Result<OwnedFd, Trouble> {
    landlock::create_ruleset(handled).prepares("landlock_create_ruleset()")
}

fn nnp() -> Result<(), Trouble> {
    set_no_new_privs(true).prepares("prctl(PR_SET_NO_NEW_PRIVS)")
}

fn enforce(ruleset: &OwnedFd) -> Result<(), Trouble> {
    nnp()?;
    landlock::restrict_self(ruleset.as_raw_fd(), 0).prepares("landlock_restrict_self()")
}

fn ruleset(what: &str) -> Seen {
    control(landlock::create_ruleset(of_files(WRITE)).is_ok(), "a right one is made")?;
    match what {
        "no_rights" => tried(landlock::create_ruleset(Handled::default())),
        "short" => tried(landlock::create_wrongly(4, 0)),
        "unknown_right" => tried(landlock::create_ruleset(of_files(1 << 60))),
        "version_with_size" => tried(landlock::create_wrongly(8, 1)),
        _ => tried(landlock::create_wrongly(0, 1 << 30)),
    }
}

fn rule(what: &str) -> Seen {
    let ruleset = new_ruleset(of_files(WRITE))?;
    let root = open_directory("/")?;
    let number = ruleset.as_raw_fd();
    control(landlock::allow_beneath(number, WRITE, &root).is_ok(), "a right one is added")?;
    match what {
        "type" => tried(landlock::add_wrongly(number)),
        "not_handled" => tried(landlock::allow_beneath(number, READ, &root)),
        "no_rights" => tried(landlock::allow_beneath(number, 0, &root)),
        "no_ruleset" => tried(landlock::allow_beneath(root.as_raw_fd(), WRITE, &root)),
        // A right over directories, of a file.
        _ => {
            let handles = new_ruleset(of_files(READ_DIR))?;
            let plain = fs::File::open("/etc/passwd").prepares("open(/etc/passwd)")?;
            tried(landlock::allow_beneath(handles.as_raw_fd(), READ_DIR, &plain))
        }
    }
}

fn restrict(what: &str) -> Seen {
    let ruleset = new_ruleset(of_files(MAKE_CHAR))?;
    let number = ruleset.as_raw_fd();
    control(
        within(0, || nnp().map(|()| landlock::restrict_self(number, 0).is_ok()))?,
        "with no_new_privs it is taken",
    )?;
    match what {
        "no_right" => {
            without_capabilities()?;
            tried(landlock::restrict_self(number, 0))
        }
        "flags" => {
            nnp()?;
            tried(landlock::restrict_self(number, 1 << 30))
        }
        _ => {
            nnp()?;
            tried(landlock::restrict_self(open_directory("/")?.as_raw_fd(), 0))
        }
    }
}

fn layers(count: &str) -> Seen {
    let count: u32 = count.parse().map_err(|_| Trouble::new("no number"))?;
    let ruleset = new_ruleset(of_files(MAKE_CHAR))?;
    nnp()?;
    for _ in 1..count {
        landlock::restrict_self(ruleset.as_raw_fd(), 0).prepares("landlock_restrict_self()")?;
    }
    tried(landlock::restrict_self(ruleset.as_raw_fd(), 0))
}

fn bits(right: &str) -> u64 {
    match right {
        "execute" => EXECUTE,
        "write" => WRITE,
        "read" => READ,
        "read_dir" => READ_DIR,
        "remove_dir" => REMOVE_DIR,
        "remove_file" => REMOVE_FILE,
        "make_dir" => MAKE_DIR,
        "make_reg" => MAKE_REG,
        "make_sock" => MAKE_SOCK,
        "make_fifo" => MAKE_FIFO,
        "make_sym" => MAKE_SYM,
        "truncate" => TRUNCATE,
        "ioctl_dev" => IOCTL_DEV,
        _ => REFER,
    }
}

/// A scratch file system with `d/file`, `d/sub` and `d/cat` on it.
fn place() -> Result<(), Trouble> {
    own_scratch()?;
    directory("d")?;
    directory("d/sub")?;
    directory("d/other")?;
    file("d/file")?;
    fs::write("d/program", "#!/bin/sh\nexit 0\n").prepares("write(d/program)")?;
    fs::set_permissions("d/program", fs::Permissions::from_mode(0o755)).prepares("chmod()")
}

/// What the right is for; its errno, or 0.
fn exercise(right: &str) -> i32 {
    let of = |result: std::io::Result<()>| result.err().map_or(0, |error| error.number());
    match right {
        "execute" => executed(),
        "write" => of(fs::OpenOptions::new().write(true).open("d/file").map(drop)),
        "read" => of(fs::File::open("d/file").map(drop)),
        "read_dir" => of(fs::read_dir("d").map(drop)),
        "remove_dir" => of(fs::remove_dir("d/sub")),
        "remove_file" => of(fs::remove_file("d/file")),
        "make_dir" => of(fs::create_dir("d/new")),
        "make_reg" => of(fs::File::create_new("d/new").map(drop)),
        "make_sock" => number(mknod("d/sock", SFlag::S_IFSOCK, Mode::S_IRUSR, 0)),
        "make_fifo" => number(mkfifo("d/fifo", Mode::S_IRUSR)),
        "make_sym" => of(std::os::unix::fs::symlink("file", "d/link")),
        "truncate" => number(nix::unistd::truncate("d/file", 0)),
        "ioctl_dev" => of(locked_terminal()),
        _ => of(fs::rename("d/file", "d/other/file")),
    }
}

/// An ioctl that is the driver's own, which is no right of every descriptor: `TIOCGPTN`.
fn locked_terminal() -> std::io::Result<()> {
    let terminal = fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx")?;
    rustix::pty::unlockpt(&terminal).map_err(std::io::Error::from)
}

fn executed() -> i32 {
    let ran = start(0, |line| {
        let errno = crate::sys::calls::execute(c"d/program", &[c"program"]);
        line.say(&(errno as i32))
    });
    ran.and_then(|child| child.line.hear().or(Ok(0))).unwrap_or(-1)
}

fn refused(right: &str) -> Seen {
    place()?;
    control(within(0, || Ok(exercise_elsewhere(right)))? == 0, "without the ruleset it is done")?;
    enforce(&new_ruleset(of_files(bits(right)))?)?;
    failed(exercise(right))
}

/// In a mount namespace whose scratch file system is a copy, so that nothing is used up.
fn exercise_elsewhere(right: &str) -> i32 {
    let copied = super::ground::own(CloneFlags::CLONE_NEWNS)
        .and_then(|()| super::ground::tmpfs_at("copy"))
        .and_then(|()| nix::unistd::chdir("copy").prepares("chdir()"))
        .and_then(|()| directory("d"))
        .and_then(|()| directory("d/sub"))
        .and_then(|()| directory("d/other"))
        .and_then(|()| file("d/file"))
        .and_then(|()| fs::copy("../d/program", "d/program").map(drop).prepares("copy()"));
    if copied.is_ok() { exercise(right) } else { -1 }
}

fn granted(right: &str) -> Seen {
    place()?;
    let ruleset = new_ruleset(of_files(bits(right)))?;
    for place in ["d", "/"] {
        landlock::allow_beneath(ruleset.as_raw_fd(), bits(right), &open_directory(place)?)
            .prepares("landlock_add_rule()")?;
    }
    enforce(&ruleset)?;
    failed(exercise(right))
}

fn topology(what: &str) -> Seen {
    own_scratch()?;
    for name in ["root", "b"] {
        super::ground::tmpfs_at(name)?;
    }
    directory("root/old")?;
    let change = || {
        number(match what {
            "mount" => mount(Some("none"), "b", Some("tmpfs"), MsFlags::empty(), None::<&str>),
            "umount" => umount2("b", MntFlags::empty()),
            "pivot_root" => nix::unistd::pivot_root("root", "root/old"),
            "remount" => {
                mount(None::<&str>, "b", None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, None::<&str>)
            }
            _ => mount(Some("b"), "root/old", None::<&str>, MsFlags::MS_MOVE, None::<&str>),
        })
    };
    control(within(libc::CLONE_NEWNS, || Ok(change()))? == 0, "without the ruleset it is done")?;
    enforce(&new_ruleset(of_files(MAKE_CHAR))?)?;
    failed(change())
}

fn inherited(how: &str) -> Seen {
    place()?;
    control(exercise("write") == 0, "without the ruleset it is opened")?;
    control(written_by_program()? == "written", "without the ruleset a program writes")?;
    enforce(&new_ruleset(of_files(WRITE))?)?;
    match how {
        "exec" => gave(written_by_program()?),
        "layers" => {
            let second = new_ruleset(of_files(WRITE))?;
            landlock::allow_beneath(second.as_raw_fd(), WRITE, &open_directory("d")?)
                .prepares("landlock_add_rule()")?;
            enforce(&second)?;
            failed(exercise("write"))
        }
        _ => failed(within(0, || Ok(exercise("write")))?),
    }
}

/// What a shell says that writes to the file; it has nowhere to complain.
fn written_by_program() -> Result<String, Trouble> {
    let script = c"(echo x >d/file) 2>&- && echo written || echo refused";
    Ok(super::ground::output(c"/bin/sh", &[c"sh", c"-c", script], || Ok(()))?.trim_end().to_owned())
}

fn opened(how: &str) -> Seen {
    place()?;
    directory("again")?;
    super::ground::bind("d", "again").prepares("mount(MS_BIND)")?;
    let before = fs::OpenOptions::new().write(true).open("d/file").prepares("open(d/file)")?;
    let ruleset = new_ruleset(of_files(WRITE))?;
    landlock::allow_beneath(ruleset.as_raw_fd(), WRITE, &open_directory("again")?)
        .prepares("landlock_add_rule()")?;
    if how == "bind_mount" {
        // A rule is of the directory, not of the mount that it was named by.
        enforce(&ruleset)?;
        return failed(exercise("write"));
    }
    enforce(&new_ruleset(of_files(WRITE))?)?;
    control(exercise("write") != 0, "it cannot be opened any more")?;
    tried(std::io::Write::write(&mut &before, b"x"))
}

fn trace(whom: &str) -> Seen {
    let child = start(0, waits)?;
    child.line.wait()?;
    let seize = |pid: i32| number(ptrace::seize(Pid::from_raw(pid), ptrace::Options::empty()));
    if whom == "outside" {
        control(within(0, || Ok(seize(child.pid)))? == 0, "without the ruleset it is traced")?;
    }
    enforce(&new_ruleset(of_files(MAKE_CHAR))?)?;
    if whom == "outside" {
        return failed(seize(child.pid));
    }
    let alike = start(0, waits)?;
    alike.line.wait()?;
    failed(seize(alike.pid))
}

fn stream(family: AddressFamily) -> Result<OwnedFd, Trouble> {
    socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).prepares("socket()")
}

fn port(what: &str) -> Seen {
    super::ground::become_root(CloneFlags::CLONE_NEWNET)?;
    crate::sys::bring_loopback_up().map_err(|failure| Trouble::new(failure.to_string()))?;
    let server = stream(AddressFamily::Inet)?;
    bind(server.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 4711)).prepares("bind()")?;
    listen(&server, nix::sys::socket::Backlog::MAXCONN).prepares("listen()")?;
    let act = || match what.trim_end_matches("_allowed") {
        "bind" => {
            Ok(number(bind(stream(AddressFamily::Inet)?.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 4712))))
        }
        "connect" => Ok(number(connect(
            stream(AddressFamily::Inet)?.as_raw_fd(),
            &SockaddrIn::new(127, 0, 0, 1, 4711),
        ))),
        _ => {
            let address = UnixAddr::new_abstract(b"airtight-landlock").prepares("an address")?;
            Ok(number(bind(stream(AddressFamily::Unix)?.as_raw_fd(), &address)))
        }
    };
    control(within(0, act)? == 0, "without the ruleset it is done")?;
    let ruleset = new_ruleset(Handled { ports: BIND | CONNECT, ..Handled::default() })?;
    if what.ends_with("_allowed") {
        landlock::allow_port(ruleset.as_raw_fd(), BIND, 4712).prepares("landlock_add_rule()")?;
        landlock::allow_port(ruleset.as_raw_fd(), CONNECT, 4711).prepares("landlock_add_rule()")?;
    }
    enforce(&ruleset)?;
    failed(act()?)
}

fn scope(what: &str) -> Seen {
    super::ground::become_root(CloneFlags::CLONE_NEWNET)?;
    let outside = scoped(what)?;
    let act = |other: &super::child::Child| {
        if what.starts_with("signal") {
            return Ok(crate::sys::signals::kill(other.pid, 0)
                .map_err(|failure| failure.errno)
                .err()
                .unwrap_or(0));
        }
        Ok(number(connect(stream(AddressFamily::Unix)?.as_raw_fd(), &abstract_name()?)))
    };
    if what.ends_with("outside") {
        control(within(0, || act(&outside))? == 0, "without the ruleset it is done")?;
    } else {
        outside.kill()?;
    }
    enforce(&new_ruleset(Handled { scope: ABSTRACT | SIGNAL, ..Handled::default() })?)?;
    if what.ends_with("outside") {
        return failed(act(&outside)?);
    }
    failed(act(&scoped(what)?)?)
}

fn abstract_name() -> Result<UnixAddr, Trouble> {
    UnixAddr::new_abstract(b"airtight-scope").prepares("an address")
}

/// A process that can be signalled, and that listens if it is to be connected to.
fn scoped(what: &str) -> Result<super::child::Child, Trouble> {
    let child = start(0, |line| {
        let server = stream(AddressFamily::Unix)?;
        if what.starts_with("abstract") {
            bind(server.as_raw_fd(), &abstract_name()?).prepares("bind()")?;
            listen(&server, nix::sys::socket::Backlog::MAXCONN).prepares("listen()")?;
        }
        waits(line)
    })?;
    child.line.wait()?;
    Ok(child)
}
