//! UTS namespaces.

use nix::sched::{CloneFlags, setns};
use nix::unistd::{gethostname, sethostname};

use super::Experiment;
use super::child::within;
use super::ground::{become_root, namespace, own};
use super::seen::{Prepares, Seen, Trouble, gave};

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "hostname",
        &["fork", "clone", "unshare", "setns"],
        "sethostname() in a plain child, in one of a UTS namespace of its own, and once one has come back: the caller's name",
        hostname,
    ),
    Experiment::plain("hostname_copied", "the name in a new UTS namespace", hostname_copied),
    Experiment::plain(
        "hostname_sysctl",
        "kernel.hostname written in a UTS namespace: the caller's name",
        hostname_sysctl,
    ),
];

fn named(name: &str) -> Result<(), Trouble> {
    sethostname(name).prepares("sethostname()")
}

fn name() -> Result<String, Trouble> {
    Ok(gethostname().prepares("gethostname()")?.to_string_lossy().into_owned())
}

fn hostname(how: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWUTS)?;
    named("before")?;
    match how {
        "fork" => within(0, || named("after"))?,
        "clone" => within(libc::CLONE_NEWUTS, || named("after"))?,
        "unshare" => within(0, || {
            own(CloneFlags::CLONE_NEWUTS)?;
            named("after")
        })?,
        _ => {
            let back = namespace("self", "uts")?;
            own(CloneFlags::CLONE_NEWUTS)?;
            named("after")?;
            setns(&back, CloneFlags::CLONE_NEWUTS).prepares("setns(uts)")?;
        }
    }
    gave(name()?)
}

fn hostname_copied(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWUTS)?;
    named("before")?;
    gave(within(libc::CLONE_NEWUTS, name)?)
}

fn hostname_sysctl(_: &str) -> Seen {
    own(CloneFlags::CLONE_NEWUTS)?;
    named("before")?;
    within(libc::CLONE_NEWUTS, || {
        let written = std::fs::write("/proc/sys/kernel/hostname", "after");
        written.prepares("write(kernel.hostname)")?;
        if name()? == "after" { Ok(()) } else { Err(Trouble::new("the sysctl is not the writer's own")) }
    })?;
    gave(name()?)
}
