//! The first process of the VM: it makes of a kernel and an initramfs what claims expect of a machine, and starts the engine.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};

use super::{modules, root, serial::Serial, supervise, users};
use crate::sys::machine::{DONE, STUCK};
use crate::sys::{self, Failure};
use crate::vm::cgroups::Cgroups;
use crate::vm::layout::LATE;
use crate::vm::wire::{FromGuest, KernelFacts};

/// The word on the command line that names this role. The kernel hands on to its first process what stands behind `--`.
pub(crate) const ROLE: &str = "airtight-role-init";

/// What a machine has by default is meant for its size; what claims need is not (`user_namespaces(7)`, `ucounts`).
const RAISED: [(&str, &str); 11] = [
    ("kernel/unprivileged_userns_clone", "1"),
    ("user/max_user_namespaces", "65536"),
    ("user/max_pid_namespaces", "65536"),
    ("user/max_mnt_namespaces", "65536"),
    ("user/max_net_namespaces", "65536"),
    ("user/max_uts_namespaces", "65536"),
    ("user/max_ipc_namespaces", "65536"),
    ("user/max_cgroup_namespaces", "65536"),
    ("user/max_time_namespaces", "65536"),
    ("kernel/keys/maxkeys", "2000"),
    ("kernel/threads-max", "65536"),
];

/// The kernel gives its first process as much as it has memory for; getrlimit(2).
const LIMITS: [(Resource, u64); 4] = [
    (Resource::RLIMIT_NPROC, 65536),
    (Resource::RLIMIT_SIGPENDING, 65536),
    (Resource::RLIMIT_NOFILE, 1 << 19),
    (Resource::RLIMIT_MEMLOCK, 64 << 20),
];

/// Brings the machine up, serves the host until that has no more to ask, and switches it off.
/// `cgroups` is the form in which the machine is to have those.
pub(crate) fn run(cgroups: &str) -> ExitCode {
    let status = match bring_up(Cgroups::of(cgroups).unwrap_or_default()) {
        Ok((mut serial, facts)) => supervise::serve(&mut serial, facts),
        // There is nobody else to tell: the host reads the console too.
        Err(error) => {
            eprintln!("airtight: {error}");
            tell_stuck(&error);
            false
        }
    };
    sys::machine::switch_off(if status { DONE } else { STUCK })
}

fn bring_up(cgroups: Cgroups) -> Result<(Serial, KernelFacts), Failure> {
    root::leave_initial()?;
    root::mount_all(cgroups)?;
    root::lay_late(Path::new(LATE))?;
    let serial = Serial::open()?;
    let not_loaded = modules::load_all();
    // Only with its module loaded may there be a file system.
    root::mount_late();
    for (name, value) in RAISED {
        // A kernel may lack it.
        let _ = fs::write(format!("/proc/sys/{name}"), value);
    }
    for (resource, limit) in LIMITS {
        setrlimit(resource, limit, limit).map_err(|errno| Failure::new("setrlimit", &[&resource], errno))?;
    }
    nix::unistd::sethostname("airtight-guest").map_err(|errno| Failure::new("sethostname", &[], errno))?;
    sys::bring_loopback_up()?;
    users::make_home()?;
    // Who asks for random numbers would wait for seconds until an idle machine has gathered some. Nothing here is secret: it is given a seed whenever it is woken.
    sys::machine::stir(&[])?;
    Ok((serial, facts(not_loaded)))
}

/// The host waits for a word.
fn tell_stuck(error: &Failure) {
    if let Ok(mut serial) = Serial::open() {
        let _ = serial.say(&FromGuest::Stuck(error.to_string()));
    }
}

fn facts(not_loaded: Vec<String>) -> KernelFacts {
    let name = nix::sys::utsname::uname().ok();
    let word = |text: Option<&std::ffi::OsStr>| text.unwrap_or_default().to_string_lossy().into_owned();
    KernelFacts {
        release: word(name.as_ref().map(nix::sys::utsname::UtsName::release)),
        version: word(name.as_ref().map(nix::sys::utsname::UtsName::version)),
        lsms: line("/sys/kernel/security/lsm"),
        controllers: line("/sys/fs/cgroup/cgroup.controllers"),
        landlock: landlock(),
        tainted: tainted(),
        not_loaded,
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Why the kernel is no longer to be trusted, as a set of bits (Documentation/admin-guide/tainted-kernels.rst).
pub(super) fn tainted() -> u64 {
    line("/proc/sys/kernel/tainted").parse().unwrap_or(0)
}

/// `landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)`, landlock(7).
fn landlock() -> i64 {
    const CREATE_RULESET: i32 = 444;
    const VERSION: i64 = 1;
    sys::raw::call(CREATE_RULESET, [0, 0, VERSION, 0, 0, 0]).unwrap_or(0)
}
