//! The examples of `ci/`: they are what they say, and their commands do it.

use std::path::Path;
use std::process::Command;

use serde_yaml::Value;

fn example(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci").join(name);
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const SPEC: &str = "\
scenario: NAME
sandbox: { image: base }
claims:
  is on the same kernel as the host:
    inside: { uname: { release: { same_as: host } } }
";

/// Specs of so many scenarios, and a `PATH` with airtight on it.
fn place(scenarios: usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..scenarios {
        let text = SPEC.replace("NAME", &format!("Number {number}"));
        std::fs::write(folder.path().join(format!("{number}.yaml")), text).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_airtight")).parent().unwrap().display().to_string();
    (folder, format!("{program}:{}", std::env::var("PATH").unwrap()))
}

/// A shell's exit code, and what it wrote.
fn shell(script: &str, folder: &Path, variables: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(folder).env_remove("AIRTIGHT_REQUIRE");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn the_indexed_job_judges_every_claim_once() {
    let (parts, merge) = (example("kubernetes-parts.yml"), example("kubernetes-merge.yml"));
    assert_eq!(parts["spec"]["completionMode"], "Indexed");
    let completions = parts["spec"]["completions"].as_u64().unwrap();
    let container = |job: &Value| job["spec"]["template"]["spec"]["containers"][0].clone();
    let of = container(&parts)["env"][0].clone();
    assert_eq!((&of["name"], &of["value"]), (&Value::from("PARTS"), &Value::from(completions.to_string())));
    let (folder, path) = place(6);
    let variables = |index: String| {
        [
            ("FOLDER".to_owned(), folder.path().display().to_string()),
            ("JOB_COMPLETION_INDEX".to_owned(), index),
            ("PARTS".to_owned(), completions.to_string()),
            ("PATH".to_owned(), path.clone()),
        ]
    };
    let run = |job: &Value, index: u64| {
        let variables = variables(index.to_string());
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        shell(container(job)["args"][0].as_str().unwrap(), folder.path(), &variables)
    };
    for index in 0..completions {
        let (code, told) = run(&parts, index);
        assert_eq!(code, 0, "{told}");
    }
    let (code, told) = run(&merge, 0);
    assert!(code == 0 && told.contains("6 claims: 6 passed, "), "{told}");
    assert!(folder.path().join("isolation.html").exists());
}

#[test]
fn the_workflow_judges_every_claim_once() {
    let workflow = example("github-actions-parts.yml");
    let (part, whole) = (&workflow["jobs"]["part"], &workflow["jobs"]["whole"]);
    let numbers: Vec<u64> = part["strategy"]["matrix"]["part"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|number| number.as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(whole["needs"], "part");
    let step = |job: &Value, name: &str| {
        let steps = job["steps"].as_sequence().unwrap();
        steps.iter().find(|step| step["name"] == name).unwrap()["run"].as_str().unwrap().to_owned()
    };
    let (folder, path) = place(5);
    std::fs::create_dir(folder.path().join("specs")).unwrap();
    for number in 0..5 {
        let name = format!("{number}.yaml");
        std::fs::rename(folder.path().join(&name), folder.path().join("specs").join(&name)).unwrap();
    }
    for number in &numbers {
        let (number, of) = (number.to_string(), numbers.len().to_string());
        let variables = [("PART", number.as_str()), ("PARTS", of.as_str()), ("PATH", path.as_str())];
        let (code, told) = shell(&step(part, "Judge this part"), folder.path(), &variables);
        assert_eq!(code, 0, "{told}");
    }
    let (code, told) = shell(&step(whole, "Put the parts together"), folder.path(), &[("PATH", &path)]);
    assert!(code == 0 && told.contains("5 claims: 5 passed, "), "{told}");
    std::fs::remove_file(folder.path().join("part-2.json")).unwrap();
    let (code, told) = shell(&step(whole, "Put the parts together"), folder.path(), &[("PATH", &path)]);
    assert!(code == 3 && told.contains("part 2 of 3 is missing"), "{told}");
}
