//! What harms the machine where it is allowed. These are tried only on a kernel that was booted for it: elsewhere nothing is done.

use std::fs;
use std::time::Duration;

use nix::kmod::init_module;
use nix::sched::{CloneFlags, unshare};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::time::{ClockId, clock_gettime, clock_settime};

use super::Experiment;
use super::child::{start, within};
use super::ground::{become_root, become_user, directory, settle, without_capabilities};
use super::pid::{NEWPID, grounds};
use super::pidfd::{failed, number};
use super::seen::{Prepares, Seen, Trouble, gave, tried};
use crate::sys::offspring::{Birth, bear};
use crate::sys::pipe;

/// How many processes are more than any sandbox needs, and how much memory.
const MANY: usize = 200;
const MUCH: usize = 4 << 30;

const PARAMETERS: &[&str] = &[
    "core_pattern",
    "modprobe",
    "randomize_va_space",
    "sysrq",
    "overcommit_memory",
    "suid_dumpable",
    "pid_max",
];

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "reboot_namespace",
        &["restart", "power_off", "halt"],
        "reboot() by the first process of a PID namespace: how that ends",
        reboot_namespace,
    )
    .with_risk(),
    Experiment::of(
        "reboot_machine",
        &["restart", "cad"],
        "reboot() of the machine, or of what its keyboard can restart",
        reboot_machine,
    )
    .with_risk(),
    Experiment::plain(
        "load_module",
        "init_module() of what is no module: ENOEXEC says that it was looked at",
        load_module,
    )
    .with_risk(),
    Experiment::plain(
        "unload_kexec",
        "kexec_load() of no segments, which takes out the kernel that was laid ready",
        unload_kexec,
    )
    .with_risk(),
    Experiment::plain("set_clock", "clock_settime(CLOCK_REALTIME) to an hour later, and back", set_clock)
        .with_risk(),
    Experiment::of(
        "set_parameter",
        PARAMETERS,
        "write() of another value of this parameter, and of the former after",
        set_parameter,
    )
    .with_risk(),
    Experiment::of("sysrq", &["help", "sync"], "write() to /proc/sysrq-trigger", sysrq).with_risk(),
    Experiment::plain("fork_bomb", "children that stay, 200 of them or until clone() fails", fork_bomb)
        .with_risk(),
    Experiment::plain(
        "memory_bomb",
        "4 GiB of memory written by a child that may be killed first: how it ends",
        memory_bomb,
    )
    .with_risk(),
    Experiment::of(
        "reach",
        &["overlay", "packet", "nftables", "raw"],
        "what somebody without any right reaches of the kernel through a user namespace",
        reach,
    )
    .with_risk(),
];

fn reboot_namespace(how: &str) -> Seen {
    grounds()?;
    let mode = match how {
        "restart" => RebootMode::RB_AUTOBOOT,
        "halt" => RebootMode::RB_HALT_SYSTEM,
        _ => RebootMode::RB_POWER_OFF,
    };
    let child = start(NEWPID, |line| {
        let Err(errno) = reboot(mode);
        line.say(&Trouble::new(format!("reboot(): {errno:?}")))
    })?;
    gave(child.end()?)
}

fn reboot_machine(how: &str) -> Seen {
    if how == "cad" {
        return tried(set_cad_enabled(false));
    }
    let Err(errno) = reboot(RebootMode::RB_AUTOBOOT);
    tried::<()>(Err(errno))
}

fn load_module(_: &str) -> Seen {
    tried(init_module(b"This is no module.", c""))
}

fn unload_kexec(_: &str) -> Seen {
    tried(crate::sys::probes::kexec_unload())
}

fn set_clock(_: &str) -> Seen {
    let read = || clock_gettime(ClockId::CLOCK_REALTIME).prepares("clock_gettime()");
    let before = read()?;
    let hour = nix::sys::time::TimeSpec::new(3600, 0);
    if let Err(errno) = clock_settime(ClockId::CLOCK_REALTIME, before + hour) {
        return tried::<()>(Err(errno));
    }
    let moved = read()? - before >= hour;
    clock_settime(ClockId::CLOCK_REALTIME, before).prepares("clock_settime() back")?;
    gave(if moved { "an hour later" } else { "as it was" })
}

fn set_parameter(name: &str) -> Seen {
    let (path, wanted) = match name {
        "core_pattern" => ("kernel/core_pattern", "airtight.%p"),
        "modprobe" => ("kernel/modprobe", "/bin/false"),
        "randomize_va_space" => ("kernel/randomize_va_space", "0"),
        "sysrq" => ("kernel/sysrq", "2"),
        "overcommit_memory" => ("vm/overcommit_memory", "1"),
        "suid_dumpable" => ("fs/suid_dumpable", "1"),
        _ => ("kernel/pid_max", "31000"),
    };
    let path = format!("/proc/sys/{path}");
    let before = fs::read_to_string(&path).prepares(&path)?;
    if let Err(error) = fs::write(&path, wanted) {
        return tried::<()>(Err(error));
    }
    let after = fs::read_to_string(&path).prepares(&path)?;
    fs::write(&path, before.trim_end()).prepares("write() of the former value")?;
    gave(if after.trim_end() == wanted { "set" } else { "not set" })
}

fn sysrq(what: &str) -> Seen {
    tried(fs::write("/proc/sysrq-trigger", if what == "sync" { "s" } else { "h" }))
}

fn fork_bomb(_: &str) -> Seen {
    let stays = || loop {
        pipe::pause(Duration::from_mins(1));
    };
    for _ in 0..MANY {
        if let Err(errno) = bear(&Birth::default(), stays) {
            return tried::<()>(Err(errno));
        }
    }
    gave(format!("{MANY} children"))
}

fn memory_bomb(_: &str) -> Seen {
    let child = start(0, |line| {
        // Whatever else there is in the machine is worth more.
        let _ = fs::write("/proc/self/oom_score_adj", "1000");
        line.go()?;
        let mut held: Vec<Vec<u8>> = Vec::new();
        while held.len() << 20 < MUCH {
            held.push(vec![1; 1 << 20]);
        }
        line.say(&held.iter().map(|page| u64::from(page[0])).sum::<u64>())
    })?;
    child.line.wait()?;
    gave(child.end()?)
}

fn reach(what: &str) -> Seen {
    let refused = within(0, || Ok(number(unshare(CloneFlags::CLONE_NEWUSER))))?;
    if refused != 0 {
        return failed(refused);
    }
    become_user(1000, CloneFlags::empty())?;
    without_capabilities()?;
    become_root(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    let made = |family, protocol: Option<SockProtocol>| {
        socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
    };
    match what {
        "overlay" => overlay(),
        "packet" => tried(made(AddressFamily::Packet, None)),
        "nftables" => tried(made(AddressFamily::Netlink, Some(SockProtocol::NetlinkNetFilter))),
        _ => tried(made(AddressFamily::Inet, Some(SockProtocol::Icmp))),
    }
}

fn overlay() -> Seen {
    use nix::mount::{MsFlags, mount};
    settle()?;
    for name in ["lower", "lowest", "merged"] {
        directory(name)?;
    }
    let options = "lowerdir=lower:lowest,userxattr";
    tried(mount(Some("overlay"), "merged", Some("overlay"), MsFlags::empty(), Some(options)))
}
