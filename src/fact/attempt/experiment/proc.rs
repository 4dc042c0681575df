//! What a /proc shows: of whom, to whom.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, getpid, setgroups, setresgid, setresuid};
use rustix::mount::FsOpenFlags;

use super::Experiment;
use super::child::{start, within};
use super::ground::{self, own_scratch};
use super::pid::{NEWPID, mount_proc, waits};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};

pub(super) const ALL: &[Experiment] = &[
    Experiment::plain(
        "proc_apart",
        "two mounts of proc in one PID namespace with different options: whether they are one file system",
        proc_apart,
    ),
    Experiment::of(
        "subset_pid",
        &["meminfo", "self", "sys"],
        "open() below a proc that was mounted with subset=pid",
        subset_pid,
    ),
    Experiment::of(
        "hidepid",
        &["0", "1", "2", "4"],
        "a process of another user below a proc that was mounted with hidepid: what is seen of it",
        hidepid,
    ),
    Experiment::of(
        "hidepid_word",
        &["2", "invisible", "garbage"],
        "fsconfig() of a proc with hidepid by a number, a word, or neither",
        hidepid_word,
    ),
    Experiment::plain(
        "proc_of_dead",
        "open(/proc/PID/status) by a descriptor of the directory, after the process has ended and its PID was given to another",
        proc_of_dead,
    ),
    Experiment::plain("task_zero", "open(/proc/self/task/0)", task_zero),
    Experiment::of(
        "proc_self",
        &["fork", "thread"],
        "where /proc/self leads in a child; where /proc/thread-self leads in a thread",
        proc_self,
    ),
    Experiment::plain(
        "proc_sees_below",
        "a process of a PID namespace below, in the /proc of that above: its number there",
        proc_sees_below,
    ),
    Experiment::plain(
        "proc_not_above",
        "the processes of a /proc that was mounted in a PID namespace, where that above has others",
        proc_not_above,
    ),
    Experiment::plain(
        "machine_sysctl",
        "open(kernel.core_pattern, O_WRONLY) by root of a user namespace",
        machine_sysctl,
    ),
    Experiment::plain(
        "mem_of_hidden",
        "open(/proc/PID/mem) of a process that is not dumpable, from a user namespace below",
        mem_of_hidden,
    ),
];

fn proc_apart(_: &str) -> Seen {
    own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("a", "hidepid=0")?;
        mount_proc("b", "hidepid=2")?;
        let device = |path: &str| fs::metadata(path).map(|data| data.dev()).prepares(path);
        Ok(if device("a")? == device("b")? { "one" } else { "two" }.to_owned())
    })?)
}

fn subset_pid(name: &str) -> Seen {
    own_scratch()?;
    super::pidfd::failed(within(NEWPID, || {
        mount_proc("whole", "")?;
        mount_proc("p", "subset=pid")?;
        control(Path::new("whole").join(name).exists(), "without the option it is there")?;
        Ok(super::pidfd::number(nix::sys::stat::stat(&Path::new("p").join(name)).map(drop)))
    })?)
}

/// Needs a second user: root of all ids that there are.
fn hidepid(value: &str) -> Seen {
    ground::scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", &format!("hidepid={value}"))?;
        within(0, || {
            become_another()?;
            let seen = Path::new("p/1").exists();
            let read = fs::read("p/1/status").is_ok();
            Ok(match (seen, read) {
                (false, _) => "nothing",
                (true, false) => "that it is there",
                (true, true) => "its status",
            }
            .to_owned())
        })
    })?)
}

/// A user of no group that the mount excepts: `gid=` is that of the machine's root by default.
fn become_another() -> Result<(), Trouble> {
    let (user, group) = (Uid::from_raw(1000), Gid::from_raw(1000));
    setgroups(&[]).prepares("setgroups()")?;
    setresgid(group, group, group).prepares("setresgid()")?;
    setresuid(user, user, user).prepares("setresuid()")
}

fn hidepid_word(word: &str) -> Seen {
    own_scratch()?;
    let context = rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).prepares("fsopen(proc)")?;
    control(rustix::mount::fsconfig_set_string(&context, "hidepid", "1").is_ok(), "another value is taken")?;
    tried(rustix::mount::fsconfig_set_string(&context, "hidepid", word))
}

fn proc_of_dead(_: &str) -> Seen {
    own_scratch()?;
    super::pidfd::failed(within(NEWPID, || {
        mount_proc("p", "")?;
        let child = start(0, waits)?;
        let old = ground::open_directory(format!("p/{}", child.pid))?;
        let open =
            || rustix::fs::openat(&old, "status", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
        control(open().is_ok(), "of the living it can be read")?;
        child.kill()?;
        let tid = [child.pid];
        let birth = crate::sys::offspring::Birth { set_tid: &tid, ..Default::default() };
        let (again, _line) = super::child::begin(&birth, waits)?;
        control(again.prepares("clone3(set_tid)")?.pid == child.pid, "another has the PID")?;
        Ok(open().err().map_or(0, rustix::io::Errno::raw_os_error))
    })?)
}

fn task_zero(_: &str) -> Seen {
    control(Path::new(&format!("/proc/self/task/{}", getpid())).exists(), "one's own task is there")?;
    tried(fs::read_dir("/proc/self/task/0"))
}

fn proc_self(who: &str) -> Seen {
    own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", "")?;
        if who == "fork" {
            return within(0, || leads("p/self", &getpid().to_string()));
        }
        let thread = std::thread::spawn(|| {
            let own = format!("{}/task/{}", getpid(), nix::unistd::gettid());
            leads("p/thread-self", &own)
        });
        thread.join().map_err(|_| Trouble::new("the thread has panicked"))?
    })?)
}

fn leads(path: &str, own: &str) -> Result<String, Trouble> {
    let target = fs::read_link(path).prepares(path)?;
    Ok(if target == Path::new(own) { "to whoever looks" } else { "elsewhere" }.to_owned())
}

fn proc_sees_below(_: &str) -> Seen {
    own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", "")?;
        let below = start(NEWPID, waits)?;
        below.line.wait()?;
        let text = fs::read_to_string(format!("p/{}/status", below.pid)).prepares("read(status)")?;
        Ok(if ground::line(&text, "Pid")? == below.pid.to_string() { "its number above" } else { "another" }
            .to_owned())
    })?)
}

fn proc_not_above(_: &str) -> Seen {
    own_scratch()?;
    gave(within(NEWPID, || {
        mount_proc("p", "")?;
        let names = fs::read_dir("p").prepares("readdir(p)")?;
        let names = names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let pids: Vec<String> = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect();
        Ok(pids.join(" "))
    })?)
}

fn machine_sysctl(_: &str) -> Seen {
    ground::become_root(nix::sched::CloneFlags::CLONE_NEWUTS)?;
    let open = |path: &str| fs::OpenOptions::new().write(true).open(path);
    control(
        open("/proc/sys/user/max_user_namespaces").is_ok(),
        "one of a namespace of its own can be opened",
    )?;
    tried(open("/proc/sys/kernel/core_pattern"))
}

fn mem_of_hidden(_: &str) -> Seen {
    let child = start(0, waits)?;
    child.line.wait()?;
    let path = format!("/proc/{}/mem", child.pid);
    control(fs::File::open(&path).is_ok(), "from its own user namespace it can be opened")?;
    super::pidfd::failed(within(libc::CLONE_NEWUSER, || {
        Ok(fs::File::open(&path).err().map_or(0, |error| super::seen::Number::number(&error)))
    })?)
}
