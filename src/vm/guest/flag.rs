//! Whether this process runs in a VM that airtight has booted.

use std::sync::atomic::{AtomicBool, Ordering};

static GUEST: AtomicBool = AtomicBool::new(false);

/// Whether the kernel under this process was booted for nothing but the claims: then what harms it harms nobody.
pub fn is_guest() -> bool {
    GUEST.load(Ordering::Relaxed)
}

/// It is so, in this process from now on.
pub(super) fn set_guest() {
    GUEST.store(true, Ordering::Relaxed);
}
