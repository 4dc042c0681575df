//! Experiments: what they give is the kernel's, the argument one off gives something else, and nothing of them is left.

use std::fs;

use airtight::fact::{Takes, experiments};
use serde_json::{Value, json};

use crate::agent::{ROOT, Started, agent, soon};
use crate::runs::run;

fn start() -> Started {
    let mut started = agent(ROOT);
    started.channel.hello(soon()).unwrap();
    started
}

fn failed(errno: &str) -> Value {
    json!({ "failed": errno })
}

fn gave(value: &str) -> Value {
    json!({ "gave": value })
}

/// In pairs: as it should be, and one thing otherwise.
#[test]
fn an_outcome_is_that_of_what_was_tried() {
    let mut started = start();
    let mut check = |object: &str, outcome: Value| {
        assert_eq!(started.attempt("experiment", object), Ok(outcome), "{object}");
    };
    check("nest_pid 20", json!("allowed"));
    check("nest_pid 33", failed("ENOSPC"));
    check("nest_user 20", json!("allowed"));
    check("nest_user 34", failed("ENOSPC"));
    check("set_tid 1", json!("allowed"));
    check("set_tid 2", failed("EINVAL"));
    check("set_tid_with nothing", failed("EPERM"));
    check("set_tid_with sys_admin", json!("allowed"));
    check("clone3_size same", json!("allowed"));
    check("clone3_size smaller", failed("EINVAL"));
    check("filter_size 4096", json!("allowed"));
    check("filter_size 4097", failed("EINVAL"));
    check("propagation shared", gave("both have it"));
    check("propagation private", gave("one has it"));
    check("abstract_connect same", json!("allowed"));
    check("abstract_connect other", failed("ECONNREFUSED"));
    check("hostname fork", gave("after"));
    check("hostname clone", gave("before"));
    check("locked_flag nosuid", failed("EPERM"));
    check("locked_flag_kept", json!("allowed"));
    check("filters_decide errno_kill", gave("SIGSYS"));
    check("filters_decide errno_log", gave("EXDEV"));
    assert_eq!(started.end(), Some(0));
}

/// What can be seen of a process and of its namespaces.
const LOOKS: &str = "uids gids groups capabilities no_new_privs seccomp_filters limits umask signals root cwd \
namespaces mount_points hostname interfaces sockets fds";

/// All of them, one after another: each gives an outcome or says why not, and in the end the process is as it was, and alone.
#[test]
fn nothing_of_an_experiment_is_left() {
    let mut started = start();
    let looks = LOOKS.split(' ');
    let before: Vec<Value> = looks.clone().map(|fact| started.value(fact, "").unwrap()).collect();
    let mut seen = 0;
    for experiment in experiments() {
        for object in objects(experiment.name, experiment.takes) {
            match started.attempt("experiment", &object) {
                Ok(_) => seen += 1,
                // A kernel or a user may lack something; it must be the experiment that says so.
                Err(unobserved) => {
                    let told = ["the experiment: ", "this would harm the host"];
                    assert!(told.iter().any(|start| unobserved.starts_with(start)), "{object}: {unobserved}");
                }
            }
        }
    }
    assert!(seen > 200, "{seen}");
    for (fact, before) in looks.zip(before) {
        let after = started.value(fact, "").unwrap();
        if fact == "mount_points" {
            // Where a directory is removed on the host on which something was mounted, it is here no more either.
            let before = before.as_array().unwrap();
            assert!(
                after.as_array().unwrap().iter().all(|point| before.contains(point)),
                "{after} {before:?}"
            );
        } else {
            assert_eq!(after, before, "{fact}");
        }
    }
    let processes = started.value("processes", "").unwrap();
    assert_eq!(processes.as_array().map(Vec::len), Some(1), "{processes}");
    assert_eq!(started.end(), Some(0));
}

fn objects(name: &str, takes: Takes) -> Vec<String> {
    match takes {
        Takes::Nothing => vec![name.to_owned()],
        Takes::OneOf(words) => words.iter().map(|word| format!("{name} {word}")).collect(),
        Takes::Number(_) => vec![format!("{name} 3")],
    }
}

/// Under the default filter no namespace can be made: nothing is then said of the kernel.
#[test]
fn what_cannot_be_prepared_is_no_outcome() {
    let spec = "scenario: A kernel that cannot be tried\nsandbox: { image: base }\nclaims:\n";
    let claim = |number: usize, object: &str, expected: &str| {
        format!(
            "  is {number}: {{ inside: {{ attempts: {{ experiment: {{ \"{object}\": {expected} }} }} }} }}\n"
        )
    };
    let objects = [
        ("first_child", "{ gives: pid 1 of parent 0 }"),
        ("kill_outer_pid", "{ fails: ESRCH }"),
        ("umount busy", "{ fails: EBUSY }"),
        ("umount busy", "{ not: { fails: EPERM } }"),
        ("nest_user 3", "allowed"),
    ];
    let claims =
        objects.iter().enumerate().map(|(number, (object, expected))| claim(number, object, expected));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filtered.yaml");
    fs::write(&path, claims.fold(spec.to_owned(), |text, claim| text + &claim)).unwrap();
    let outcomes: Vec<_> = run(&[path.to_str().unwrap()]).into_iter().map(|told| told.outcome).collect();
    assert_eq!(outcomes, ["broken", "broken", "broken", "broken", "failed"]);
}
