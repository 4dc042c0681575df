//! A VM's memory is mostly zeros, which take no place on a disk where they are not written.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

/// How much is looked at together.
const BLOCK: usize = 64 << 10;

/// Gives back the blocks of a file in which there is nothing but zeros.
pub(super) fn make_sparse(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let (mut block, mut at) = (vec![0; BLOCK], 0);
    let zeros = vec![0; BLOCK];
    while at < file.metadata()?.len() {
        let count = file.read(&mut block)?;
        if count == 0 {
            break;
        }
        if block[..count] == zeros[..count] {
            fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, count as u64)?;
        }
        at += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn zeros_take_no_place_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let mut bytes = vec![0; 16 * BLOCK + 7];
        bytes[5 * BLOCK + 3] = 1;
        bytes[16 * BLOCK + 6] = 2;
        fs::write(&path, &bytes).unwrap();
        make_sparse(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert!(fs::metadata(&path).unwrap().blocks() * 512 <= 3 * BLOCK as u64);
    }
}
