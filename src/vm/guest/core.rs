//! Core dumps, where the host asks for them: the kernel hands each to a helper (`core(5)`), which puts it where the first process finds it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// The word on the command line that names this role.
pub(crate) const ROLE: &str = "airtight-role-core";

/// Where they lie, packed, until they are sent.
const FOLDER: &str = "/airtight/cores";

/// How many are kept, and how much of each: they are in memory, and the line to the host carries half a MiB in a second.
const MOST: usize = 8;
const LARGEST: u64 = 16 << 20;

/// What a helper needs of the root that the kernel starts it in, on which nothing is mounted: Rust opens it for the streams that are missing.
pub(super) fn prepare() {
    // Where it cannot be made, there are no core dumps, and nothing else is missing.
    let _ = fs::create_dir_all("/dev");
    let _ = mknod("/dev/null", SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3));
}

/// From now on each process that dumps core is kept. The kernel waits until its helper has ended.
pub(super) fn ask() -> io::Result<()> {
    fs::create_dir_all(FOLDER)?;
    fs::write("/proc/sys/kernel/core_pipe_limit", MOST.to_string())?;
    fs::write("/proc/sys/kernel/core_pattern", format!("|/init {ROLE} %P %e"))
}

/// Keeps the core dump on standard input: of the process with this PID, by this name.
pub(crate) fn run(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let pid = words.next().unwrap_or_default().to_string_lossy().into_owned();
    let name: Vec<String> = words.map(|word| word.to_string_lossy().replace('/', "-")).collect();
    let path = Path::new(FOLDER).join(format!("core.{}.{pid}.gz", name.join("-")));
    match keep(&path) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is there to be told.
        Err(_) => ExitCode::FAILURE,
    }
}

fn keep(path: &Path) -> io::Result<()> {
    if fs::read_dir(FOLDER)?.count() >= MOST {
        return Ok(());
    }
    let mut packed = GzEncoder::new(File::create_new(path)?, Compression::fast());
    io::copy(&mut io::stdin().lock().take(LARGEST), &mut packed)?;
    packed.finish().map(drop)
}

/// Takes what there is, by its name.
pub(super) fn taken() -> Vec<(String, Vec<u8>)> {
    let take = |entry: fs::DirEntry| {
        let bytes = fs::read(entry.path());
        // What is sent once is not sent again.
        let _ = fs::remove_file(entry.path());
        bytes.ok().map(|bytes| (entry.file_name().to_string_lossy().into_owned(), bytes))
    };
    fs::read_dir(FOLDER).into_iter().flatten().flatten().filter_map(take).collect()
}
