//! Core dumps of the guest's processes: taken from the guest in pieces, and left on the host.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How much of them a scenario may leave, packed: more than a guest that is itself sends.
const MOST: usize = 192 << 20;

/// How many there may be.
const MANY: usize = 16;

/// Those of a scenario, by their names.
#[derive(Debug, Default)]
pub(super) struct Cores(BTreeMap<String, Vec<u8>>);

impl Cores {
    /// Takes a piece of one; or says why not.
    pub(super) fn take(&mut self, name: &str, piece: &[u8]) -> Result<(), String> {
        let held: usize = self.0.values().map(Vec::len).sum();
        if held + piece.len() > MOST {
            return Err(format!("more than {MOST} bytes of core dumps"));
        }
        self.0.entry(plain(name)).or_default().extend_from_slice(piece);
        if self.0.len() > MANY { Err(format!("more than {MANY} core dumps")) } else { Ok(()) }
    }

    /// Leaves them in this folder, which is made where there are any.
    pub(super) fn leave(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let write = |(name, bytes): (&String, &Vec<u8>)| {
            fs::create_dir_all(folder)?;
            let path = folder.join(name);
            fs::write(&path, bytes).map(|()| path)
        };
        self.0.iter().map(write).collect()
    }
}

/// A name that is one file's, wherever it comes from.
pub(super) fn plain(name: &str) -> String {
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.+".contains(letter) { letter } else { '-' };
    let name: String = name.chars().map(plain).take(200).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Cores, MANY, MOST};

    #[test]
    fn pieces_become_one_and_lie_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut cores = Cores::default();
        for piece in ["ab", "cd"] {
            cores.take("../../core.sh.7.gz", piece.as_bytes()).unwrap();
        }
        let left = cores.leave(&folder.path().join("new")).unwrap();
        assert_eq!(left, [folder.path().join("new/-..-core.sh.7.gz")]);
        assert_eq!(std::fs::read(&left[0]).unwrap(), b"abcd");
    }

    #[test]
    fn a_guest_fills_nothing_with_them() {
        let mut cores = Cores::default();
        for number in 0..MANY {
            cores.take(&format!("core.{number}"), b"").unwrap();
        }
        assert!(cores.take("core.more", b"").unwrap_err().contains("more than 16 core dumps"));
        assert!(cores.take("core.1", &vec![0; MOST + 1]).unwrap_err().contains("bytes of core dumps"));
        assert!(Cores::default().leave("/nowhere".as_ref()).unwrap().is_empty());
    }
}
