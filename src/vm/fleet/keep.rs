//! What a VM is booted from, left where it can be booted again without airtight.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cores::plain;
use crate::vm::machine::Hardware;

/// The names of the copies.
const KERNEL: &str = "kernel";
const INITRAMFS: &str = "initramfs";

/// Why it could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the VM could not be kept in {}: {source}", .folder.display())]
pub(super) struct KeepError {
    folder: PathBuf,
    source: io::Error,
}

/// Copies kernel and initramfs below `folder`, and writes beside them the script that boots them; its path. A later run may change what lies in the
/// cache, and so they are copies.
pub(super) fn keep(folder: &Path, name: &str, hardware: &Hardware) -> Result<PathBuf, KeepError> {
    let folder = folder.join(folder_name(name, hardware));
    write(&folder, name, hardware).map_err(|source| KeepError { folder: folder.clone(), source })?;
    Ok(folder.join("repro.sh"))
}

fn write(folder: &Path, name: &str, hardware: &Hardware) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::copy(&hardware.kernel, folder.join(KERNEL))?;
    fs::copy(&hardware.initramfs, folder.join(INITRAMFS))?;
    let script = folder.join("repro.sh");
    fs::write(&script, text(name, hardware))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
}

/// The kernel's name, and a piece of the key of what is in its VM: one kernel is booted with several sets of images.
pub(super) fn folder_name(name: &str, hardware: &Hardware) -> String {
    let key = hardware.initramfs.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{}-{}", plain(name), key.chars().take(8).collect::<String>())
}

/// The same words as airtight's own, but for the ends of the serial ports.
fn text(name: &str, hardware: &Hardware) -> String {
    let here = Hardware { kernel: KERNEL.into(), initramfs: INITRAMFS.into(), ..hardware.clone() };
    let words: Vec<String> = here.machine().iter().map(|word| quoted(word)).collect();
    let name = crate::report::in_one_line(name);
    format!(
        "#!/bin/sh\n\
         # Boots {name} as airtight does. Its console is the terminal (Ctrl-A X ends QEMU); what the guest says to airtight goes into `results`.\n\
         # Further words are QEMU's: `./repro.sh -s -S` waits for gdb at localhost:1234.\n\
         cd -- \"$(dirname -- \"$0\")\" || exit\n\
         exec {} -serial mon:stdio -serial file:results \"$@\"\n",
        words.join(" ")
    )
}

/// As a shell takes it for one word.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=,:".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_is_one_to_a_shell() {
        let check = |word: &str, expected: &str| assert_eq!(quoted(word), expected);
        check("-kernel", "-kernel");
        check("isa-debug-exit,iobase=0x501", "isa-debug-exit,iobase=0x501");
        check("", "''");
        check("a b $HOME", "'a b $HOME'");
        check("it's", r"'it'\''s'");
    }
}
