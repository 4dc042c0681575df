//! The host's names, which a sandbox that shares its UTS namespace can change.

use std::fs;

/// Where they are read and set (`proc_sys_kernel(5)`).
const FILES: [&str; 2] = ["/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"];

/// The names as they were: what one test renames the next must find unchanged, or it cannot see that it renames them as well.
#[derive(Debug)]
pub(super) struct HostNames([Option<String>; 2]);

impl HostNames {
    /// As they are now, before the first test.
    pub(super) fn now() -> Self {
        Self(FILES.map(|file| fs::read_to_string(file).ok()))
    }

    /// Puts them back. Who may not set them could not have changed them either.
    pub(super) fn restore(&self) {
        for (file, name) in FILES.iter().zip(&self.0) {
            let Some(name) = name else { continue };
            if fs::read_to_string(file).is_ok_and(|now| now != *name) {
                let _ = fs::write(file, name);
            }
        }
    }
}
