//! What can be wrong with a kernel that was asked for.

use std::path::{Path, PathBuf};

use crate::spec::Problems;
use crate::sys::Failure;

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A system call failed.
    #[error(transparent)]
    System(#[from] Failure),
    /// Nothing is there.
    #[error("no kernel is called `{word}`, and there is no such file{mend}")]
    Nothing {
        /// What was asked for.
        word: String,
        /// `: did you mean …?`, or empty.
        mend: String,
    },
    /// A pattern leads nowhere.
    #[error("nothing matches `{pattern}`: {mend}")]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// What to look at.
        mend: String,
    },
    /// A file of another kind.
    #[error("{} is {what}, and no kernel that can be booted: {mend}", path.display())]
    NotKernel {
        /// The file or folder.
        path: PathBuf,
        /// What it is, with its article.
        what: String,
        /// What is to be given instead.
        mend: String,
    },
    /// A file that is cut or garbled.
    #[error("{} is damaged: {why}; fetch or build it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// A file that grows beyond all bounds when it is unpacked.
    #[error("{} is no kernel but a bomb: {why}", path.display())]
    Bomb {
        /// The file.
        path: PathBuf,
        /// Which bound it breaks.
        why: String,
    },
    /// An ELF kernel that QEMU cannot start.
    #[error("{} is a vmlinux without CONFIG_PVH, which QEMU cannot start: give the bzImage that was made of it (arch/x86/boot/bzImage), or build it with CONFIG_PVH=y", path.display())]
    NoPvh {
        /// The file.
        path: PathBuf,
    },
    /// A kernel for another machine.
    #[error("{} is a kernel for {machine}, and airtight boots those for x86-64", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The machine.
        machine: String,
    },
    /// A package without a kernel.
    #[error("{} has no kernel in it{mend}", path.display())]
    Package {
        /// The package.
        path: PathBuf,
        /// `: …` with what is to be given instead, or empty.
        mend: String,
    },
    /// A module cannot be read.
    #[error("the module {module} of {} cannot be read: {why}", path.display())]
    Module {
        /// Its name.
        module: String,
        /// Where it lies.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A list of kernels is wrong.
    #[error(transparent)]
    List(#[from] Problems),
}

/// What a function of this room returns.
pub(super) type Result<T> = std::result::Result<T, KernelError>;

/// Turns the [`std::io::Error`] of `call` on `path` into a [`KernelError`].
pub(super) fn io(call: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KernelError {
    move |error| Failure::from_io(call, &[&path], &error).into()
}

/// A file that is not what it says it is.
pub(super) fn damaged(path: &Path, why: impl Into<String>) -> KernelError {
    KernelError::Damaged { path: path.to_owned(), why: why.into() }
}

/// A file of another kind.
pub(super) fn not_kernel(path: &Path, what: impl Into<String>, mend: impl Into<String>) -> KernelError {
    KernelError::NotKernel { path: path.to_owned(), what: what.into(), mend: mend.into() }
}

impl KernelError {
    /// What is wrong, and the mend, for where they stand apart.
    pub(super) fn in_parts(&self) -> (String, String) {
        let whole = self.to_string();
        let apart = match self {
            Self::System(_) | Self::Module { .. } | Self::Bomb { .. } | Self::Foreign { .. } => None,
            Self::Damaged { .. } => whole.rsplit_once("; "),
            _ => whole.rsplit_once(": "),
        };
        let (message, help) = apart.unwrap_or((&whole, "look at the path, or give another"));
        (message.to_owned(), help.to_owned())
    }

    /// The same of what was taken out of another file: that is what the user knows.
    pub(super) fn within(mut self, outer: &Path) -> Self {
        match &mut self {
            Self::NotKernel { path, .. }
            | Self::Damaged { path, .. }
            | Self::Bomb { path, .. }
            | Self::NoPvh { path }
            | Self::Foreign { path, .. } => outer.clone_into(path),
            _ => {}
        }
        self
    }
}
