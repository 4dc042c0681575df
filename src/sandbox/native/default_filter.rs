//! The default seccomp profile, as one short program: it is installed in every sandbox, where the kernel translates it, and runs it
//! once for every system call that there is (`seccomp_cache_prepare` in kernel/seccomp.c). So its length is felt, and its depth.

use seccompiler::{BpfProgram, sock_filter};
use syscalls::Sysno;

/// What the default profile refuses with EPERM: calls that reach the host's kernel rather than the sandbox's own things.
/// Everything else is allowed, but for the rules about `clone`, `clone3`, and some by their arguments.
pub const REFUSED_BY_DEFAULT: &[&str] = &[
    // Mounts, roots, and namespaces.
    "mount",
    "umount2",
    "pivot_root",
    "open_tree",
    "open_tree_attr",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "chroot",
    // The kernel itself: modules, kexec, power, clocks, accounting, swap, quotas, its log.
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "acct",
    "swapon",
    "swapoff",
    "quotactl",
    "quotactl_fd",
    "syslog",
    // Programs in the kernel, its performance counters, its page faults, its rings.
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    // Keys are not namespaced.
    "add_key",
    "request_key",
    "keyctl",
    // Files by handle lead out of a bind mount (the "shocker" exploit of 2014).
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "lookup_dcookie",
    // Other processes' memory, descriptors and placement.
    "kcmp",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "move_pages",
    "migrate_pages",
    // Hardware and relics.
    "iopl",
    "ioperm",
    "modify_ldt",
    "vhangup",
    "uselib",
    "ustat",
    "sysfs",
    "nfsservctl",
];

/// What it refuses, or allows alone, of calls that programs cannot do without.
pub(super) const BY_ARGUMENT: [ByArgument; 3] = [
    // Sockets to the hypervisor and to the kernel's ciphers. The one leads past the network namespace, which has no part in it
    // (vsock(7)); the other wrote to files that could only be read (CVE-2026-31431). The OCI engines refuse both.
    ByArgument {
        call: Sysno::socket,
        place: FIRST_ARGUMENT,
        listed: libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
        values: &[libc::AF_VSOCK.unsigned_abs(), libc::AF_ALG.unsigned_abs()],
        otherwise: libc::SECCOMP_RET_ALLOW,
    },
    // Input pushed into a terminal, which whoever has it open outside will run (CVE-2017-5226): TIOCSTI and TIOCLINUX.
    // The kernel looks at 32 bits of the request, and so does this (CVE-2019-10063 came of looking at 64).
    ByArgument {
        call: Sysno::ioctl,
        place: SECOND_ARGUMENT,
        listed: libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
        values: &[0x5412, 0x541c],
        otherwise: libc::SECCOMP_RET_ALLOW,
    },
    // Any personality but Linux's own, that of 32 bits, with and without UNAME26, and the question which it is: others undo
    // address space randomisation, or map memory where a null pointer leads (personality(2)).
    ByArgument {
        call: Sysno::personality,
        place: FIRST_ARGUMENT,
        listed: libc::SECCOMP_RET_ALLOW,
        values: &[0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff],
        otherwise: libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
    },
];

/// A rule about one argument of a call.
pub(super) struct ByArgument {
    pub(super) call: Sysno,
    /// Where the argument's low half is.
    place: u32,
    /// What the filter gives for the values, and for all others.
    listed: u32,
    pub(super) values: &'static [u32],
    pub(super) otherwise: u32,
}

impl ByArgument {
    /// Which argument it is about, from 0.
    pub(super) const fn index(&self) -> usize {
        if self.place == FIRST_ARGUMENT { 0 } else { 1 }
    }
}

/// The calls that some of its rules are about.
pub(super) const IN_PART: [&str; 5] = ["clone", "clone3", "socket", "ioctl", "personality"];

/// The namespace flags that clone(2) is refused with in the default profile; clone3(2), whose flags a filter cannot see,
/// answers ENOSYS, on which every libc falls back to clone(2).
pub(super) const CLONE_NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWCGROUP,
];

/// `__X32_SYSCALL_BIT` (arch/x86/include/uapi/asm/unistd.h). The x32 calls have the same architecture as the others and the same
/// numbers with one more bit: a filter that does not look for it is gone round.
const X32: u32 = 0x4000_0000;

/// `AUDIT_ARCH_*` of the calls that this program makes (include/uapi/linux/audit.h).
const ARCHITECTURE: u32 = if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else if cfg!(target_arch = "riscv64") {
    0xc000_00f3
} else {
    0xc000_003e
};

/// Offsets in `struct seccomp_data` (seccomp(2)): the number, the architecture, the low halves of the first two arguments.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;

/// What the program gives in the end, for a call: the place of the instructions that do it, among those after the search.
type Ending = usize;

const ALLOWED: Ending = 0;
const REFUSED: Ending = 1;
const MISSING: Ending = 2;

/// The program: is this the architecture, then a search for the number, then the endings. Those of its rules are left out that
/// are about a call of `let_through`.
pub(super) fn program(let_through: &[&str]) -> BpfProgram {
    let mut program = vec![
        load(ARCH),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        give(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
    ];
    let mut endings =
        vec![give(libc::SECCOMP_RET_ALLOW), give(refusal(libc::EPERM)), give(refusal(libc::ENOSYS))];
    let mut calls = vec![(Sysno::clone3, MISSING), (Sysno::clone, endings.len())];
    endings.extend(by_flags());
    for rule in &BY_ARGUMENT {
        calls.push((rule.call, endings.len()));
        endings.extend(by_argument(rule));
    }
    calls.extend(refused_numbers());
    calls.retain(|(call, _)| !let_through.contains(&call.name()));
    let ranges = ranges(&calls);
    // One test between each two ranges.
    search(&ranges, ranges.len() - 1, &mut program);
    program.extend(endings);
    program
}

/// The calls that are refused whatever their arguments.
fn refused_numbers() -> impl Iterator<Item = (Sysno, Ending)> {
    REFUSED_BY_DEFAULT.iter().filter_map(|name| Some((name.parse().ok()?, REFUSED)))
}

/// All numbers there are, as ranges that end alike: where each begins.
fn ranges(calls: &[(Sysno, Ending)]) -> Vec<(u32, Ending)> {
    let singles = calls.iter().map(|(call, ending)| (call.id().unsigned_abs(), *ending));
    let mut singles: Vec<(u32, Ending)> = singles.collect();
    singles.sort_unstable();
    let mut ranges = vec![(0, ALLOWED)];
    for (number, ending) in singles {
        // What follows it is allowed, unless the next one says otherwise.
        ranges.retain(|(begin, _)| *begin != number);
        ranges.extend([(number, ending), (number + 1, ALLOWED)]);
    }
    if cfg!(target_arch = "x86_64") {
        ranges.push((X32, REFUSED));
    }
    ranges.dedup_by_key(|(_, ending)| *ending);
    ranges
}

/// Halves the ranges until one is left, and goes to its ending. `rest` is how many tests there are from here to the endings.
fn search(ranges: &[(u32, Ending)], rest: usize, program: &mut BpfProgram) {
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let [(first, _), ..] = above else { return };
    if below.is_empty() {
        return;
    }
    let to = |half: &[(u32, Ending)], tests: usize| match half {
        [(_, ending)] => over(rest - 1 + *ending),
        _ => over(tests),
    };
    program.push(jump(libc::BPF_JGE, *first, to(above, below.len() - 1), to(below, 0)));
    search(below, rest - 1, program);
    search(above, rest - below.len(), program);
}

/// What clone(2) ends with: its first argument is its flags.
fn by_flags() -> [sock_filter; 4] {
    let flags = CLONE_NAMESPACES.iter().fold(0, |flags, flag| flags | flag.unsigned_abs());
    [
        load(FIRST_ARGUMENT),
        jump(libc::BPF_JSET, flags, 0, 1),
        give(refusal(libc::EPERM)),
        give(libc::SECCOMP_RET_ALLOW),
    ]
}

fn by_argument(rule: &ByArgument) -> Vec<sock_filter> {
    let count = rule.values.len();
    let tests = rule.values.iter().enumerate();
    let mut part = vec![load(rule.place)];
    part.extend(tests.map(|(index, value)| jump(libc::BPF_JEQ, *value, over(count - index), 0)));
    part.extend([give(rule.otherwise), give(rule.listed)]);
    part
}

/// A jump over so many instructions.
fn over(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn refusal(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

/// Tests the loaded value against another; goes over so many instructions.
fn jump(test: u32, value: u32, if_so: u8, if_not: u8) -> sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, if_so, if_not, value)
}

fn give(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::super::seccomp::number;
    use super::*;

    /// What the program answers, by running it as the kernel does (bpf(4)). All arguments are the same.
    fn answer(arch: u32, number: u32, argument: u32) -> u32 {
        answer_of(&program(&[]), arch, number, argument)
    }

    fn answer_of(program: &BpfProgram, arch: u32, number: u32, argument: u32) -> u32 {
        let (mut accumulator, mut place) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[place].clone();
            place += 1;
            let holds = match u32::from(code) & 0xf0 {
                _ if u32::from(code) & 7 == libc::BPF_RET => return k,
                _ if u32::from(code) & 7 == libc::BPF_LD => {
                    accumulator = [
                        (NUMBER, number),
                        (ARCH, arch),
                        (FIRST_ARGUMENT, argument),
                        (SECOND_ARGUMENT, argument),
                    ]
                    .iter()
                    .find_map(|(offset, value)| (*offset == k).then_some(*value))
                    .unwrap();
                    continue;
                }
                libc::BPF_JGE => accumulator >= k,
                libc::BPF_JSET => accumulator & k != 0,
                _ => accumulator == k,
            };
            place += usize::from(if holds { jt } else { jf });
        }
    }

    #[test]
    fn no_jump_is_longer_than_an_instruction_can_say() {
        assert!(program(&[]).len() < usize::from(u8::MAX), "{} instructions", program(&[]).len());
    }

    #[test]
    fn each_call_gets_its_answer() {
        let native = |name: &str| u32::try_from(number(name).unwrap()).unwrap();
        let check = |number, argument, expected| {
            assert_eq!(answer(ARCHITECTURE, number, argument), expected, "{number} {argument:#x}");
        };
        for name in REFUSED_BY_DEFAULT.iter().filter(|name| number(name).is_some()) {
            check(native(name), 0, refusal(libc::EPERM));
        }
        for (name, argument) in [("socket", 40), ("socket", 38), ("ioctl", 0x5412), ("personality", 0x4_0000)]
        {
            check(native(name), argument, refusal(libc::EPERM));
        }
        for (name, argument) in
            [("socket", 1), ("ioctl", 0x5401), ("personality", 0), ("personality", u32::MAX)]
        {
            check(native(name), argument, libc::SECCOMP_RET_ALLOW);
        }
        for name in ["read", "write", "openat", "execve", "kill", "ptrace", "socket", "exit_group"] {
            check(native(name), 0, libc::SECCOMP_RET_ALLOW);
        }
        check(native("clone3"), 0, refusal(libc::ENOSYS));
        check(native("clone"), libc::SIGCHLD.unsigned_abs(), libc::SECCOMP_RET_ALLOW);
        check(native("clone"), (libc::CLONE_NEWUSER | libc::SIGCHLD).unsigned_abs(), refusal(libc::EPERM));
        check(native("clone"), libc::CLONE_NEWNET.unsigned_abs(), refusal(libc::EPERM));
        if cfg!(target_arch = "x86_64") {
            check(native("read") | X32, 0, refusal(libc::EPERM));
        }
        assert_eq!(answer(ARCHITECTURE ^ 1, 0, 0), libc::SECCOMP_RET_KILL_PROCESS, "another architecture");
    }

    #[test]
    fn one_call_can_be_let_through() {
        let newuser = libc::CLONE_NEWUSER.unsigned_abs();
        let answer_letting = |name: &str, asked: &str| {
            let asked = u32::try_from(number(asked).unwrap()).unwrap();
            answer_of(&program(&[name]), ARCHITECTURE, asked, newuser)
        };
        for name in
            REFUSED_BY_DEFAULT.iter().chain(&["clone", "clone3"]).filter(|name| number(name).is_some())
        {
            assert_eq!(answer_letting(name, name), libc::SECCOMP_RET_ALLOW, "{name}");
            for other in ["mount", "clone", "clone3", "unshare"].iter().filter(|other| **other != *name) {
                assert_ne!(answer_letting(name, other), libc::SECCOMP_RET_ALLOW, "{other} beside {name}");
            }
        }
    }
}
