//! What kernels are on disk: made here byte by byte, and Debian's own.

mod debugging;
mod hostile;
mod kept;
mod lists;
mod make;
mod places;
mod proof;
mod real;
mod runtimes;
mod terminal;
mod trouble;
mod vm;
mod words;

use std::path::Path;

use airtight::vm::kernel::{Choice, Kernel, KernelError, find};

/// A kernel to be booted, if there are any: the one that boots first.
pub(crate) fn a_kernel() -> Option<String> {
    let all = real::packages()?.into_iter().map(|path| path.display().to_string());
    all.reduce(|best, path| if path.contains("cloud") { path } else { best })
}

/// What these words lead to, with a cache that is used once.
fn found(words: &[&str]) -> Result<Vec<Kernel>, KernelError> {
    let cache = tempfile::tempdir().unwrap();
    kernels(words, None, cache.path())
}

/// What these words and a list lead to; none of it is the host's kernel.
fn kernels(words: &[&str], list: Option<&Path>, cache: &Path) -> Result<Vec<Kernel>, KernelError> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let choices = find(&words, list, cache)?.into_iter();
    Ok(choices
        .map(|choice| match choice {
            Choice::Vm(kernel) => *kernel,
            Choice::Host => panic!("the host's kernel"),
        })
        .collect())
}
