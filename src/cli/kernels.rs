//! The kernels of a run.

use std::path::Path;
use std::sync::Arc;

use super::Exit;
use crate::image::cache_folder;
use crate::plan::Plan;
use crate::vm::Cgroups;
use crate::vm::fleet::{Fleet, Isolation};
use crate::vm::kernel::{self, Choice};
use crate::vm::without_kvm;

/// Where test programs are told on which kernels to run.
const VARIABLE: &str = "AIRTIGHT_KERNELS";

/// The kernels that are asked for, and the plan's tests on each of them; none where the host's own is all that there is. `cgroups` are as those
/// have them of which the list says nothing.
pub(crate) fn on_kernels(
    plan: &mut Plan,
    words: &[String],
    list: Option<&Path>,
    isolation: Isolation,
    cgroups: Option<Cgroups>,
) -> Result<Option<Fleet>, Exit> {
    if words.is_empty() && list.is_none() {
        return Ok(None);
    }
    let cache = cache_folder().map_err(|error| Exit::Broken.telling(&error))?.join("kernels");
    let found = kernel::find(words, list, &cache);
    let choices = found.map_err(|error| Exit::Wrong.telling(&error))?;
    let name = |choice: &Choice| match choice {
        Choice::Host => None,
        Choice::Vm(kernel) => Some(Arc::from(kernel.name.as_str())),
    };
    plan.on_kernels(&choices.iter().map(name).collect::<Vec<_>>());
    let booted = choices.into_iter().filter_map(|choice| match choice {
        Choice::Host => None,
        Choice::Vm(mut kernel) => {
            kernel.cgroups = kernel.cgroups.or(cgroups);
            Some(*kernel)
        }
    });
    let booted: Vec<_> = booted.collect();
    if let Some(reason) = without_kvm().filter(|_| !booted.is_empty()) {
        anstream::eprintln!("note: VMs are run without KVM: {reason}");
    }
    Ok(Some(Fleet::new(booted, isolation)))
}

/// The same by the environment: `AIRTIGHT_KERNELS` is a list of kernels, or kernels with commas, of which `host` is one.
pub(crate) fn on_kernels_of_environment(plan: &mut Plan) -> Result<Option<Fleet>, Exit> {
    let given = std::env::var(VARIABLE).unwrap_or_default();
    let ends = |ending: &str| given.ends_with(ending);
    let (mut words, mut list) = (Vec::new(), None);
    if ends(".yaml") || ends(".yml") {
        list = Some(Path::new(&given));
    } else {
        words = given.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    }
    on_kernels(plan, &words, list, Isolation::default(), None)
}
