//! Calls of the kernel that a sandbox is better without, each in a form that does no harm.

use nix::unistd::{gethostname, sethostname};

use super::outcome::{check_probe, outcome, probe, unprepared};
use crate::fact::{Attempt, Leaves};
use crate::sys::{keyring, probes};

/// `sethostname`
pub(super) const SETHOSTNAME: Attempt = Attempt {
    name: "sethostname",
    object: "probe",
    brief: "Sets the host name, to what it is.",
    long: "sethostname(2) with the name that gethostname(2) returns.",
    example: "attempts: { sethostname: { probe: denied } }",
    leaves: Leaves::Something,
    check: check_probe,
    attempt: |_| {
        let name = gethostname().map_err(|errno| unprepared("gethostname()", errno))?;
        outcome(&format!("sethostname({})", name.display()), sethostname(&name))
    },
};

/// `settimeofday`
pub(super) const SETTIMEOFDAY: Attempt = Attempt {
    name: "settimeofday",
    object: "probe",
    brief: "Asks whether the clock may be set.",
    long: "settimeofday(NULL, NULL), which looks for CAP_SYS_TIME and sets nothing. The clock is the whole machine's: \
           time_namespaces(7) have no CLOCK_REALTIME of their own.",
    example: "attempts: { settimeofday: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| outcome("settimeofday(NULL, NULL)", probes::settimeofday()),
};

/// `adjtimex`
pub(super) const ADJTIMEX: Attempt = Attempt {
    name: "adjtimex",
    object: "probe",
    brief: "Asks whether the clock may be made faster or slower.",
    long: "adjtimex({ modes: ADJ_TICK, tick: 0 }): the kernel looks for CAP_SYS_TIME first, and then refuses a tick of no \
           length with EINVAL, which counts as allowed. ntp_adjtime(3) and clock_adjtime(2) have the same check.",
    example: "attempts: { adjtimex: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| probe("adjtimex({ modes: ADJ_TICK, tick: 0 })", probes::adjtimex()),
};

/// `reboot`
pub(super) const REBOOT: Attempt = Attempt {
    name: "reboot",
    object: "probe",
    brief: "Asks whether the machine may be rebooted.",
    long: "reboot(0, 0, 0, NULL): the kernel looks for CAP_SYS_BOOT first, and then refuses the wrong magic numbers with \
           EINVAL, which counts as allowed. In a PID namespace of its own it would end only that, reboot(2).",
    example: "attempts: { reboot: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| probe("reboot(0, 0, 0, NULL)", probes::reboot()),
};

/// `init_module`
pub(super) const INIT_MODULE: Attempt = Attempt {
    name: "init_module",
    object: "probe",
    brief: "Asks whether a module may be loaded into the kernel.",
    long: "finit_module(-1, \"\", 0): the kernel looks for CAP_SYS_MODULE first, and then refuses the wrong descriptor with \
           EBADF, which counts as allowed. ENOSYS, from a kernel without modules, counts as refused.",
    example: "attempts: { init_module: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| probe("finit_module(-1, \"\", 0)", probes::finit_module()),
};

/// `bpf`
pub(super) const BPF: Attempt = Attempt {
    name: "bpf",
    object: "probe",
    brief: "Makes a BPF map of one element.",
    long: "bpf(BPF_MAP_CREATE) of type BPF_MAP_TYPE_ARRAY, then close: bpf(2).",
    example: "attempts: { bpf: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| outcome("bpf(BPF_MAP_CREATE, {BPF_MAP_TYPE_ARRAY, 4, 4, 1})", probes::bpf()),
};

/// `perf_event_open`
pub(super) const PERF_EVENT_OPEN: Attempt = Attempt {
    name: "perf_event_open",
    object: "probe | cpu",
    brief: "Opens the most harmless performance counter, of itself or of a whole processor.",
    long: "perf_event_open(2) of PERF_COUNT_SW_DUMMY, without the kernel's and the hypervisor's events, then close: where \
           this is refused, all is. `probe` counts for the process itself, `cpu` for whatever runs on processor 0, which \
           asks for CAP_PERFMON where kernel.perf_event_paranoid is more than 0.",
    example: "attempts: { perf_event_open: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: |object| if object == "cpu" { Ok(()) } else { check_probe(object) },
    attempt: |object| {
        let (pid, cpu) = if object == "cpu" { (-1, 0) } else { (0, -1) };
        let call = format!("perf_event_open(PERF_COUNT_SW_DUMMY, {pid}, {cpu})");
        outcome(&call, probes::perf_event_open(pid, cpu))
    },
};

/// `userfaultfd`
pub(super) const USERFAULTFD: Attempt = Attempt {
    name: "userfaultfd",
    object: "probe",
    brief: "Takes over the handling of page faults, the kernel's own included.",
    long: "userfaultfd(O_CLOEXEC), then close: userfaultfd(2). Without UFFD_USER_MODE_ONLY it can halt the kernel in the \
           middle of a copy, which exploits use; vm.unprivileged_userfaultfd.",
    example: "attempts: { userfaultfd: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| outcome("userfaultfd(O_CLOEXEC)", probes::userfaultfd()),
};

/// `io_uring_setup`
pub(super) const IO_URING_SETUP: Attempt = Attempt {
    name: "io_uring_setup",
    object: "probe",
    brief: "Makes an io_uring of one entry.",
    long: "io_uring_setup(1, {}), then close: io_uring_setup(2). Its operations bypass a seccomp filter.",
    example: "attempts: { io_uring_setup: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| outcome("io_uring_setup(1, {})", probes::io_uring_setup()),
};

/// `keyctl`
pub(super) const KEYCTL: Attempt = Attempt {
    name: "keyctl",
    object: "probe",
    brief: "Asks for the id of the session keyring.",
    long: "keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), which creates nothing; ENOKEY counts as allowed. \
           Keyrings are not namespaced but by user: keyrings(7).",
    example: "attempts: { keyctl: { probe: denied } }",
    leaves: Leaves::Something,
    check: check_probe,
    attempt: |_| probe("keyctl(KEYCTL_GET_KEYRING_ID, session, 0)", keyring::id(keyring::SESSION).map(drop)),
};
