//! Terminals: pushing input into one, and hanging one up.

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use super::outcome::{check_path, check_probe, errno, outcome, probe};
use crate::fact::{Attempt, Leaves, Unobserved};
use crate::sys::rights;

/// `push_input`
pub(super) const PUSH_INPUT: Attempt = Attempt {
    name: "push_input",
    object: "PATH",
    brief: "Asks whether it may push input into a terminal, as if it had been typed there.",
    long: "open(PATH, O_RDONLY | O_NONBLOCK | O_NOCTTY), then ioctl(TIOCSTI, NULL): the kernel looks at the rights first, and \
           then refuses the pointer with EFAULT, which counts as allowed; nothing is pushed. EIO: dev.tty.legacy_tiocsti is 0; \
           ENOTTY: it is no terminal; ENXIO, of /dev/tty: there is no controlling terminal. The open is a part of the \
           attempt. TIOCSTI is how a sandbox has commands run by the shell it was started from (CVE-2017-5226).",
    example: "attempts: { push_input: { /dev/tty: { fails: ENXIO } } }",
    leaves: Leaves::Nothing,
    check: check_path,
    attempt: |path| {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Err(error) => outcome(&format!("open({path:?})"), Err(errno(&error))),
            Ok(file) => match rights::push_no_input(file.as_fd()) {
                Err(nix::errno::Errno::EFAULT) => {
                    probe("ioctl(TIOCSTI, NULL)", Err(nix::errno::Errno::EFAULT))
                }
                result => outcome(&format!("ioctl({path:?}, TIOCSTI, NULL)"), result),
            },
        }
    },
};

/// `vhangup`
pub(super) const VHANGUP: Attempt = Attempt {
    name: "vhangup",
    object: "probe",
    brief: "Hangs up its controlling terminal, if it has none.",
    long: "vhangup(2), which asks for CAP_SYS_TTY_CONFIG and does nothing without a controlling terminal. A process with one \
           does not try.",
    example: "attempts: { vhangup: { probe: denied } }",
    leaves: Leaves::Nothing,
    check: check_probe,
    attempt: |_| {
        // Whether there is one: open(2) of /dev/tty is ENXIO if not (tty(4)); field 7 of stat says it without a /dev.
        let stat = std::fs::read_to_string("/proc/self/stat").map_err(Unobserved::because)?;
        let terminal = stat.rsplit(')').next().and_then(|rest| rest.split_ascii_whitespace().nth(4));
        if terminal != Some("0") {
            return Err(Unobserved::because(
                "the process has a controlling terminal, which would be hung up",
            ));
        }
        outcome("vhangup()", rights::vhangup())
    },
};
