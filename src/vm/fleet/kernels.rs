//! The kernels of a run.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::errand::{self, Images};
use super::readied::{Cargo, NotReady, Readied};
use super::watch::Watch;
use crate::engine::{Elsewhere, Errand, News};
use crate::sandbox::Runtime;
use crate::vm::initramfs::{Content, Piece, pieces};
use crate::vm::kernel::Kernel;
use crate::vm::layout::{RUNTIME, RUNTIMES};

/// What of a VM one scenario leaves to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Isolation {
    /// Nothing: each has a kernel that was saved before anybody used it.
    #[default]
    Fresh,
    /// Nothing, and each has its kernel booted for it.
    Boot,
    /// Everything: what one does to the kernel, the next finds. A VM whose kernel has complained or died is not used again
    Shared,
}

/// Kernels by their names, each made ready when it is first needed.
#[derive(Debug)]
pub(crate) struct Fleet {
    kernels: Vec<Berth>,
    /// What runtimes have of the host, by their names.
    packed: Mutex<HashMap<&'static str, Packed>>,
    isolation: Isolation,
    watch: Watch,
}

/// A kernel, and what was made ready of it: with which images and files of a runtime.
#[derive(Debug)]
struct Berth {
    kernel: Kernel,
    readied: Mutex<HashMap<Cargo, Arc<Slot>>>,
}

type Packed = Result<(Vec<Piece>, Vec<String>), String>;

type Slot = OnceLock<Result<Readied, NotReady>>;

impl Fleet {
    /// Of these kernels.
    pub(crate) fn new(kernels: Vec<Kernel>, isolation: Isolation) -> Self {
        let berth = |kernel| Berth { kernel, readied: Mutex::default() };
        Self {
            kernels: kernels.into_iter().map(berth).collect(),
            packed: Mutex::default(),
            isolation,
            watch: Watch::default(),
        }
    }

    /// The same with more to be seen of it.
    #[must_use]
    pub(crate) fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// The kernel of this name.
    pub(super) fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().map(|berth| &berth.kernel).find(|kernel| kernel.name == name)
    }

    /// What is to be seen of its VMs.
    pub(super) const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What a VM is to have besides what all have; or what this machine lacks of the runtime. It is gathered once for each.
    pub(super) fn cargo(&self, errand: &Errand<'_>, images: &Images) -> Result<Cargo, String> {
        // The tests of an errand have one runtime.
        let Some((_, test)) = errand.tests.first() else { return Ok(Cargo::default()) };
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let packed = packed.entry(test.runtime.name()).or_insert_with(|| pack(test.runtime, &images.base.1));
        let (pieces, modules) = packed.clone()?;
        Ok(Cargo { images: images.further.clone(), pieces, modules })
    }
}

impl Elsewhere for Fleet {
    fn judge(&self, errand: &Errand<'_>, told: &mut dyn FnMut(News)) {
        let berth = self.kernels.iter().find(|berth| berth.kernel.name == errand.kernel);
        let Some(berth) = berth else {
            return errand::all_broken(errand, &format!("there is no kernel {}", errand.kernel), told);
        };
        let images = match errand::images(errand) {
            Ok(images) => images,
            Err((name, reason)) => return errand::without_image(errand, &name, &reason, told),
        };
        let cargo = match self.cargo(errand, &images) {
            Ok(cargo) => cargo,
            Err(reason) => return errand::without_runtime(errand, &reason, told),
        };
        let slot = berth.slot(&cargo);
        let made = || Readied::new(errand.nursery, &berth.kernel, &images.base, &cargo, &self.watch);
        match slot.get_or_init(made) {
            Ok(readied) => errand::run(errand, readied, &images, &berth.kernel, self.isolation, told),
            Err(not_ready) => errand::all_unbooted(errand, not_ready, told),
        }
    }
}

impl Berth {
    fn slot(&self, cargo: &Cargo) -> Arc<Slot> {
        let mut readied = self.readied.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(readied.entry(cargo.clone()).or_default())
    }
}

/// Gathers what a runtime has of the host, but for what the image `base` has already.
fn pack(runtime: &dyn Runtime, base: &Path) -> Packed {
    let mut parcel = runtime.parcel().map_err(|cannot| cannot.reason)?;
    if let Some(text) = parcel.definition.take() {
        parcel.files.push((Path::new(RUNTIMES).join(format!("{}.yaml", runtime.name())), text));
    }
    let mut pieces = pieces(&parcel, base).map_err(|error| error.to_string())?;
    if !pieces.is_empty() {
        pieces.push(Piece { place: RUNTIME.into(), content: Content::Text(runtime.name().to_owned()) });
    }
    Ok((pieces, parcel.modules))
}

/// By what an image is known: the folder that its root is in has its digest for a name.
pub(super) fn digest(root: &Path) -> String {
    let folder = root.parent().and_then(Path::file_name);
    folder.unwrap_or_default().to_string_lossy().chars().take(32).collect()
}
