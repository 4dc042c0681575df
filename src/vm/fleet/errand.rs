//! One scenario on one kernel: what is sent, what is heard, and what to make of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::kernels::{Isolation, digest};
use super::readied::{Image, NotReady, Readied};
use super::sortie::{Sortie, tail};
use crate::engine::{Errand, News, Outcome, Trouble};
use crate::judge::Observations;
use crate::plan::{Skip, Test};
use crate::spec::NeedKind;
use crate::vm::kernel::Kernel;
use crate::vm::layout::image_root;

/// The image whose programs are the guest's own.
const BASE: &str = "base";

/// The images of a scenario.
pub(super) struct Images {
    pub(super) base: Image,
    /// The others, each once, sorted.
    pub(super) further: Vec<Image>,
    /// Where each is in the guest, by what the spec calls it.
    places: BTreeMap<String, String>,
}

impl Images {
    /// Where each is in the guest, by what the specs call it; `base` too.
    pub(super) fn places(&self) -> BTreeMap<String, String> {
        let base = image_root(&self.base.0).to_string_lossy().into_owned();
        self.places.clone().into_iter().chain([(BASE.to_owned(), base)]).collect()
    }
}

/// The images that the tests name; or the one that cannot be had, and why.
pub(super) fn images(errand: &Errand<'_>) -> Result<Images, (String, String)> {
    let root = |name: &str, directory: &Path| -> Result<Image, (String, String)> {
        let root = (errand.image)(name, directory).map_err(|reason| (name.to_owned(), reason))?;
        Ok((digest(&root), root))
    };
    let base = root(BASE, Path::new("."))?;
    let mut images = Images { base, further: Vec::new(), places: BTreeMap::new() };
    for (_, test) in errand.tests {
        for (_, settings) in test.settings() {
            let name = settings.image.unwrap_or_else(|| BASE.to_owned());
            let image = root(&name, test.directory())?;
            images.places.insert(name, image_root(&image.0).to_string_lossy().into_owned());
            if image.0 != images.base.0 && !images.further.contains(&image) {
                images.further.push(image);
            }
        }
    }
    images.further.sort();
    Ok(images)
}

/// Nothing came of any of them.
pub(super) fn all_broken(errand: &Errand<'_>, reason: &str, told: &mut dyn FnMut(News)) {
    all(errand, &Outcome::Broken(Trouble::saying(reason)), told);
}

/// The kernel did not come up: what it said is the evidence.
pub(super) fn all_unbooted(errand: &Errand<'_>, why: &NotReady, told: &mut dyn FnMut(News)) {
    let said = tail(&why.console);
    let said = if said.is_empty() { "it said nothing".to_owned() } else { format!("its last words\n{said}") };
    let reason = format!("the kernel {} did not boot: {}; {said}", errand.kernel, why.reason);
    all(errand, &Outcome::Broken(Trouble::saying(reason)), told);
}

/// An image cannot be had on this machine.
pub(super) fn without_image(errand: &Errand<'_>, name: &str, reason: &str, told: &mut dyn FnMut(News)) {
    let skip = Skip { need: format!("image {name}"), reason: reason.to_owned() };
    all(errand, &Outcome::Skipped(skip), told);
}

/// The runtime cannot be had on this machine.
pub(super) fn without_runtime(errand: &Errand<'_>, reason: &str, told: &mut dyn FnMut(News)) {
    let name = errand.tests.first().map_or("", |(_, test)| test.runtime.name());
    let skip = Skip { need: format!("runtime {name}"), reason: reason.to_owned() };
    all(errand, &Outcome::Skipped(skip), told);
}

fn all(errand: &Errand<'_>, outcome: &Outcome, told: &mut dyn FnMut(News)) {
    for (place, _) in errand.tests {
        told(ended(*place, outcome.clone()));
    }
}

pub(super) fn ended(place: usize, outcome: Outcome) -> News {
    News::Ended { place, outcome, observed: Observations::default(), took: Duration::ZERO }
}

/// Has the tests judged, by root and by the ordinary user. A VM that dies costs the test that was being judged; the rest goes on in another.
pub(super) fn run(
    errand: &Errand<'_>,
    readied: &Readied,
    images: &Images,
    kernel: &Kernel,
    isolation: Isolation,
    told: &mut dyn FnMut(News),
) {
    for unprivileged in [false, true] {
        let mut left: Vec<usize> =
            (0..errand.tests.len()).filter(|at| wants_user(&errand.tests[*at].1) == unprivileged).collect();
        while !left.is_empty() {
            let before = left.len();
            let sortie = Sortie { errand, readied, images, kernel, isolation };
            left = sortie.run(&left, unprivileged, told);
            // A VM that does not even begin will not do so the next time.
            if left.len() == before {
                break;
            }
        }
        for at in left {
            let reason = format!("no VM of the kernel {} judged it", errand.kernel);
            told(ended(errand.tests[at].0, Outcome::Broken(Trouble::saying(reason))));
        }
    }
}

/// Whether an ordinary user is to judge it.
fn wants_user(test: &Test) -> bool {
    let mut needs = test.scenario().about.needs.iter().chain(&test.claim().about.needs);
    needs.any(|need| matches!(need.kind, NeedKind::Unprivileged))
}
