//! Any system call by name.

use std::ops::RangeInclusive;
use std::str::FromStr;

use syscalls::Sysno;

use super::outcome::probe;
use crate::fact::{Attempt, Leaves, Reading, Unobserved};
use crate::sys::raw;

/// What would end the agent, make a second one of it, or never return: no answer could come.
const NO_ANSWER: &[&str] = &[
    "exit",
    "exit_group",
    "fork",
    "vfork",
    "clone",
    "pause",
    "rt_sigreturn",
    "rt_sigsuspend",
    "sigreturn",
    "sigsuspend",
];

/// What no operand makes harmless: it has none that could be wrong, or any does something.
const NO_PROBE: &[&str] = &["vhangup", "umask", "alarm", "sync", "munlockall", "setsid"];

/// What may be called only with the operands -1: others could harm the machine, or the agent's own streams.
const ONLY_WRONG: &[&str] = &[
    "acct",
    "arch_prctl",
    "modify_ldt",
    "ptrace",
    "set_thread_area",
    "clone3",
    "close",
    "close_range",
    "delete_module",
    "dup2",
    "dup3",
    "finit_module",
    "init_module",
    "ioctl",
    "kexec_file_load",
    "kexec_load",
    "kill",
    "ppoll",
    "poll",
    "pselect6",
    "read",
    "reboot",
    "select",
    "swapoff",
    "swapon",
    "tgkill",
    "tkill",
    "write",
    "seccomp",
    "prctl",
];

/// What makes something even with the operands -1: msgget(2) a queue, since -1 is a key, and has the flag `IPC_CREAT`.
const MAKES: &[&str] = &["msgget"];

/// What makes nothing but a descriptor, with any operands that it accepts; and that is closed.
const DESCRIPTORS: &[&str] = &[
    "epoll_create1",
    "eventfd2",
    "fanotify_init",
    "fsopen",
    "fspick",
    "inotify_init1",
    "io_uring_setup",
    "landlock_create_ruleset",
    "memfd_create",
    "memfd_secret",
    "open_tree",
    "pidfd_open",
    "signalfd4",
    "socket",
    "timerfd_create",
    "userfaultfd",
];

/// What a number may be, lest it be an address of the agent's memory: where pointers have 64 bits, programs are mapped
/// above the first 4 GiB; elsewhere only the first 64 KiB (`vm.mmap_min_addr`) and the errnos at the end are never mapped.
const OPERANDS: RangeInclusive<i64> =
    if cfg!(target_pointer_width = "64") { -0x8000_0000..=0xffff_ffff } else { -4095..=0xffff };

/// `syscall`
pub(super) const SYSCALL: Attempt = Attempt {
    name: "syscall",
    object: "NAME | \"NAME(NUMBER, …)\"",
    brief: "Makes any system call by its name: whether a filter lets it through.",
    long: "syscall(2) with six operands -1, which nearly every call refuses; or with the numbers \
           given and 0 for the rest; descriptors that it opens are closed. The call counts as refused where the errno is EPERM, EACCES, EROFS or ENOSYS, and as \
           allowed with any other result. Numbers have 32 bits at most, so that none is an address of the agent's memory. \
           Some calls look at their operands before they look at the caller's capabilities (swapon): \
           it is the filter that this verb tells of. What could give no answer (exit, fork, pause, …) is an error, and what could do harm takes no numbers.",
    example: "attempts: { syscall: { add_key: denied, \"socket(40, 1, 0)\": denied } }",
    leaves: Leaves::NothingIf(leaves_nothing),
    check: |object| parse(object).map(drop),
    attempt: |object| {
        let (number, operands) = parse(object).map_err(Unobserved::because)?;
        call(object, number, operands)
    },
};

/// With six operands -1 a call that has any operands is refused for them, or told of nothing to change. With others it may do anything.
fn leaves_nothing(object: &str) -> bool {
    match object.split_once('(') {
        Some((name, _)) => DESCRIPTORS.contains(&name),
        None => !MAKES.contains(&object),
    }
}

fn call(object: &str, number: Sysno, operands: [i64; 6]) -> Result<Reading, Unobserved> {
    probe(&format!("{object}: {number}{operands:?}"), raw::call(number.id(), operands).map(drop))
}

fn parse(object: &str) -> Result<(Sysno, [i64; 6]), String> {
    let (name, list) = match object.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or("a closing parenthesis is missing")?)),
        None => (object, None),
    };
    let number = Sysno::from_str(name).map_err(|()| {
        format!("`{name}` is not a system call of this architecture, {}", std::env::consts::ARCH)
    })?;
    if NO_ANSWER.contains(&name) {
        return Err(format!("`{name}` cannot be tried: the agent could not answer after it"));
    }
    if NO_PROBE.contains(&name) {
        return Err(format!("`{name}` cannot be tried: it has no operands with which it does nothing"));
    }
    match list {
        None => Ok((number, [-1; 6])),
        Some(_) if ONLY_WRONG.contains(&name) => {
            Err(format!("`{name}` can do harm with other operands than -1: write it without a list"))
        }
        Some(list) => Ok((number, operands(list)?)),
    }
}

fn operands(list: &str) -> Result<[i64; 6], String> {
    let mut operands = [0; 6];
    for (index, text) in list.split(',').map(str::trim).filter(|text| !text.is_empty()).enumerate() {
        *operands.get_mut(index).ok_or("a system call has six operands at most")? = operand(text)?;
    }
    Ok(operands)
}

fn operand(text: &str) -> Result<i64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let fits = |number: &i64| OPERANDS.contains(number);
    number.filter(fits).ok_or_else(|| format!("`{text}` is not a number of 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_and_numbered() {
        let check = |object: &str, expected: Result<(Sysno, [i64; 6]), &str>| {
            assert_eq!(
                parse(object).as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|text| *text)
            );
        };
        check("add_key", Ok((Sysno::add_key, [-1; 6])));
        check("socket(40, 0x1, -1)", Ok((Sysno::socket, [40, 1, -1, 0, 0, 0])));
        check("getpid()", Ok((Sysno::getpid, [0; 6])));
        check("socket(40", Err("a closing parenthesis is missing"));
        check("socket(a)", Err("`a` is not a number of 32 bits"));
        check("socket(0x100000000)", Err("`0x100000000` is not a number of 32 bits"));
        check("getpid(1,2,3,4,5,6,7)", Err("a system call has six operands at most"));
        check("exit", Err("`exit` cannot be tried: the agent could not answer after it"));
        check("reboot(1)", Err("`reboot` can do harm with other operands than -1: write it without a list"));
    }
}
