//! What a shell in a VM has at hand, and the way there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Exit, Loaded, load};
use crate::engine::Errand;
use crate::image::Store;
use crate::plan::{Choice, Plan, Test, spec_files};
use crate::sandbox::Nursery;
use crate::vm::fleet::{Fleet, Isolation, Left, Visitor, Watch, beside};
use crate::vm::kernel::Kernel;

/// The tests of specs, with their places, and their files by where they are put.
pub(super) type Specs = (Vec<(usize, Arc<Test>)>, BTreeMap<String, String>);

/// Visits a kernel. `entered` is called once the shell is there, and what it gives is kept until the visit is over.
pub(super) fn visit<T>(
    nursery: &Nursery,
    kernel: Kernel,
    tests: &[(usize, Arc<Test>)],
    visitor: &Visitor,
    watch: &Watch,
    entered: impl FnOnce() -> T,
) -> Result<Left, Exit> {
    let store = Store::open().map_err(|error| Exit::Broken.telling(&error))?;
    let name = kernel.name.clone();
    let errand = Errand {
        kernel: &name,
        prefix: "",
        tests,
        nursery,
        image: &|name, directory| {
            let found = store.rootfs(name, directory);
            found.map(|rootfs| rootfs.path.clone()).map_err(|error| error.to_string())
        },
    };
    let fleet = Fleet::new(vec![kernel], Isolation::Fresh).watched(watch.clone());
    Ok(fleet.shell(&errand, visitor, entered))
}

/// What these places have.
pub(super) fn specs(places: &[PathBuf]) -> Result<Specs, Exit> {
    let mut plan = Plan::new(Choice::default());
    let mut files = BTreeMap::new();
    for place in places {
        let before = plan.entries.len();
        load(std::slice::from_ref(place), |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
        let opened = plan.entries.iter().skip(before).map(|entry| entry.open().map(Arc::new));
        let tests: Vec<Arc<Test>> =
            opened.collect::<Result<_, _>>().map_err(|error| Exit::Wrong.telling(&error))?;
        let found =
            names(place).map_err(|error| Exit::Wrong.telling(&format!("{}: {error}", place.display())))?;
        for (path, name) in found {
            lay(&path, &name, &tests, &mut files).map_err(|error| Exit::Wrong.telling(&error))?;
        }
    }
    let tests = plan.entries.iter().enumerate();
    let tests = tests.filter_map(|(at, entry)| Some((at, Arc::new(entry.open().ok()?)))).collect();
    Ok((tests, files))
}

/// The spec files of a place, with the paths that they are to have: below the folder's own name, if it is one.
fn names(place: &Path) -> std::io::Result<Vec<(PathBuf, PathBuf)>> {
    let place = place.canonicalize()?;
    let above = place.parent().unwrap_or(&place);
    let named = |path: PathBuf| path.strip_prefix(above).map(|name| (path.clone(), name.to_owned())).ok();
    Ok(spec_files(&place)?.into_iter().filter_map(|(path, _)| named(path)).collect())
}

/// Adds a spec with the files that it names.
fn lay(
    path: &Path,
    name: &Path,
    tests: &[Arc<Test>],
    files: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let own = tests.iter().find(|test| test.spec.path.canonicalize().is_ok_and(|spec| spec == path));
    for (beside, content) in own.map_or(Ok(BTreeMap::new()), |test| beside(test, read))? {
        files.insert(text(&name.with_file_name(beside)), content);
    }
    match files.insert(text(name), read(path)?) {
        Some(_) => Err(format!("two of the specs would be {} in the VM", name.display())),
        None => Ok(()),
    }
}
