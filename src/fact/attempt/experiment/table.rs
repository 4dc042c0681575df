//! The attempt of experiments, and their table: each entry stands beside its code.

use std::time::Duration;

use super::seen::{Seen, Trouble};
use super::{
    Experiment, capability, cgroup, filter, ground, ipc, landlock, mount, mount_rights, net, open_in, pid,
    pid_number, pidfd, proc, risky, time, user, user_map, uts,
};
use crate::fact::attempt::outcome::unprepared;
use crate::fact::{Attempt, Leaves, Outcome, Reading, Unobserved};
use crate::sys::offspring::supervised;

/// How long an experiment may take. Most take milliseconds; a guest without acceleration is far slower.
const LIMIT: Duration = Duration::from_secs(20);

/// And one that takes all that the machine has, until that says no.
const LIMIT_OF_BOMBS: Duration = Duration::from_secs(90);

/// `experiment`
pub(in crate::fact::attempt) const EXPERIMENT: Attempt = Attempt {
    name: "experiment",
    object: "NAME | \"NAME ARGUMENT\"",
    brief: "Tries what the kernel promises, as a small story of several processes: `nest_pid 24`, `landlock write`, …",
    long: "In a child of the process itself, with whatever namespaces it needs of its own, and with all of its processes ended before it answers. \
           The outcome is that of the one call that matters: `allowed`, `fails: ERRNO`, or, where something is looked at instead, a text that it `gives`. \
           What must succeed before that call, and the control (the same call without the restriction), are no outcome: where they fail the claim is \
           broken. `airtight explain experiment` lists all of them.",
    example: "attempts: { experiment: { first_child: { gives: pid 1 of parent 0 } } }",
    leaves: Leaves::NextPid,
    check: |object| find(object).map(drop),
    attempt: |object| {
        let (experiment, argument) = find(object).map_err(Unobserved::because)?;
        observe(experiment, argument)
    },
};

/// All experiments, in the manual's order.
pub fn experiments() -> impl Iterator<Item = &'static Experiment> {
    let areas = [
        pid::ALL,
        pid_number::ALL,
        pidfd::ALL,
        user::ALL,
        user_map::ALL,
        capability::ALL,
        mount::ALL,
        mount_rights::ALL,
        open_in::ALL,
        proc::ALL,
        net::ALL,
        uts::ALL,
        ipc::ALL,
        time::ALL,
        cgroup::ALL,
        filter::ALL,
        landlock::ALL,
        risky::ALL,
    ];
    areas.into_iter().flatten()
}

/// The experiment of an object, and its argument; or the mend.
fn find(object: &str) -> Result<(&'static Experiment, &str), String> {
    let (name, argument) = object.split_once(' ').unwrap_or((object, ""));
    let found = experiments().find(|experiment| experiment.name == name);
    let experiment = found.ok_or_else(|| {
        format!("there is no experiment `{name}`: `airtight explain experiment` lists them")
    })?;
    experiment.takes.check(argument)?;
    Ok((experiment, argument))
}

fn observe(experiment: &Experiment, argument: &str) -> Result<Reading, Unobserved> {
    if experiment.risky && !crate::vm::is_guest() {
        return Err(Unobserved::because(
            "this would harm the host: it is for a kernel that was booted for it (`needs: [vm]`)",
        ));
    }
    let act = || serde_json::to_vec(&perform(experiment, argument)).unwrap_or_default();
    let limit = if experiment.risky { LIMIT_OF_BOMBS } else { LIMIT };
    let told = supervised(limit, act).map_err(|errno| unprepared("a supervisor", errno))?;
    let told = told.ok_or_else(|| Unobserved::because("the experiment ended without an answer"))?;
    let seen: Seen = serde_json::from_slice(&told).map_err(Unobserved::because)?;
    let outcome = seen.map_err(|Trouble(reason)| Unobserved::because(format!("the experiment: {reason}")))?;
    let raw = format!("{}: {}", experiment.brief, in_words(&outcome));
    let value = serde_json::to_value(outcome).map_err(Unobserved::because)?;
    Ok(Reading { value, raw })
}

fn perform(experiment: &Experiment, argument: &str) -> Seen {
    ground::leave_chroot()?;
    ground::forget_kept_capabilities()?;
    (experiment.run)(argument)
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allowed => "succeeded".to_owned(),
        Outcome::Failed(errno) => format!("failed: {errno}"),
        Outcome::Gave(value) => format!("gave {value:?}"),
        Outcome::Killed(signal) => format!("ended by {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fact::Takes;

    #[test]
    fn each_has_a_name_of_its_own_and_its_words() {
        let names: BTreeSet<&str> = experiments().map(|experiment| experiment.name).collect();
        assert_eq!(names.len(), experiments().count());
        for experiment in experiments() {
            assert!(!experiment.brief.is_empty() && !experiment.name.contains(' '), "{}", experiment.name);
            assert_ne!(experiment.takes, Takes::OneOf(&[]), "{}", experiment.name);
        }
    }

    #[test]
    fn an_object_is_a_name_and_what_it_takes() {
        let check = |object: &str, fits: bool| {
            assert_eq!(find(object).is_ok(), fits, "{object}: {:?}", find(object).err());
        };
        for right in ["first_child", "nest_pid 0", "nest_pid 64", "landlock write"] {
            check(right, true);
        }
        for wrong in [
            "",
            "first",
            "first_child 1",
            "nest_pid",
            "nest_pid 65",
            "nest_pid x",
            "nest_pid -1",
            "landlock",
            "landlock wrte",
            "landlock write read",
        ] {
            check(wrong, false);
        }
    }

    /// Nothing is started: a test has threads, and could not be forked.
    #[test]
    fn what_harms_the_machine_is_not_tried_on_the_host() {
        let risky: Vec<&Experiment> = experiments().filter(|experiment| experiment.risky).collect();
        assert!(risky.len() >= 10, "{risky:?}");
        for experiment in risky {
            let refused = observe(experiment, "").unwrap_err();
            assert!(refused.reason.contains("harm the host"), "{}: {refused}", experiment.name);
        }
    }
}
