//! The same kernel on the same machine and processor, with nothing but a first process that switches it off.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use airtight::vm::emulated_cpu;
use airtight::vm::kernel::Kernel;
use cpio::newc::{Builder, trailer};

use crate::bounded;

/// A static program (Debian's busybox-static), which powers off by itself.
const BUSYBOX: &str = "/bin/busybox";

const INIT: &str = "#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n";

/// How long it takes until QEMU has ended.
pub(crate) fn boot(kernel: &Kernel, folder: &Path) -> Duration {
    let initramfs = folder.join("floor.cpio");
    if !initramfs.is_file() {
        write(&initramfs).expect("an initramfs");
    }
    let image = kernel.entry.as_ref().unwrap_or(&kernel.image);
    let mut command = bounded("qemu-system-x86_64");
    command.args(["-accel", "tcg", "-machine", "q35", "-cpu", emulated_cpu(), "-smp", "1", "-m", "512"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
    command.args(["-append", "console=ttyS0 loglevel=7 panic=-1 no_timer_check mitigations=off"]);
    command.arg("-kernel").arg(image).arg("-initrd").arg(&initramfs);
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("QEMU");
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("reboot: Power down"), "{}: {said}", kernel.release);
    took
}

fn write(path: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    entry(&mut out, Builder::new("bin").mode(0o040_755), &[])?;
    entry(&mut out, Builder::new("dev").mode(0o040_755), &[])?;
    entry(&mut out, Builder::new("dev/console").mode(0o020_600).rdev_major(5).rdev_minor(1), &[])?;
    entry(&mut out, Builder::new("bin/busybox").mode(0o100_755), &fs::read(BUSYBOX)?)?;
    entry(&mut out, Builder::new("init").mode(0o100_755), INIT.as_bytes())?;
    trailer(out)?.flush()
}

fn entry(out: &mut impl Write, entry: Builder, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len()).expect("less than 4 GiB");
    let mut writer = entry.write(out, size);
    writer.write_all(content)?;
    writer.finish().map(drop)
}
