//! The CPU that QEMU is told to emulate: an old one, without what this QEMU gets wrong.

use std::process::Command;
use std::sync::OnceLock;

use super::{QEMU, answer};

/// It has what x86-64-v2 asks for, and little that is dear to emulate.
const MODEL: &str = "Nehalem";

/// Before 8.0 QEMU took for the flags after CMPXCHG16B whatever its last comparison had left; by it the kernel's allocator takes
/// objects, so that a pointer's bit 8, found among the flags at an interrupt, traps the kernel: `exc_debug_kernel`.
const WITHOUT_CX16: &str = "Nehalem,-cx16";

/// What QEMU's `-cpu` is where it emulates one. Its version is asked once.
pub fn emulated() -> &'static str {
    static CPU: OnceLock<&'static str> = OnceLock::new();
    CPU.get_or_init(|| answer::of(Command::new(QEMU).arg("--version")).map_or(MODEL, |said| fit_for(&said)))
}

/// The one for the QEMU that says this of itself.
fn fit_for(said: &str) -> &'static str {
    match major(said) {
        Some(..8) => WITHOUT_CX16,
        _ => MODEL,
    }
}

/// `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)` is 7.
fn major(said: &str) -> Option<u32> {
    said.split_once(" version ")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::fit_for;

    #[test]
    fn an_old_qemu_does_not_offer_what_it_gets_wrong() {
        for (said, cpu) in [
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright", "Nehalem,-cx16"),
            ("QEMU emulator version 5.2.0", "Nehalem,-cx16"),
            ("QEMU emulator version 8.0.0", "Nehalem"),
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", "Nehalem"),
            ("QEMU emulator", "Nehalem"),
            ("", "Nehalem"),
        ] {
            assert_eq!(fit_for(said), cpu, "{said}");
        }
    }
}
