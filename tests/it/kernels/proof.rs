//! Proofs that are carried out on a kernel in a VM.

use std::fs;
use std::process::Command;

use super::a_kernel;

/// It is the guest's own sandboxes that are broken there, and what is found is what a proof finds here.
#[test]
fn a_claim_is_proven_on_a_kernel() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("it's a spec.yaml");
    let check = |claim: &str, expected: i32, words: &str| {
        let text = format!(
            "scenario: A kernel\nneeds: [vm, root]\nsandbox: {{ image: base }}\nclaims:\n  it holds: {{ {claim} }}\n"
        );
        fs::write(&spec, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_airtight"))
            .args([
                "prove",
                "--extent",
                "nulls",
                "--claim",
                "it*",
                "--kernel",
                &kernel,
                spec.to_str().unwrap(),
            ])
            .env_remove("AIRTIGHT_REQUIRE")
            .output()
            .unwrap();
        let [told, said] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert_eq!(output.status.code(), Some(expected), "{told}{said}");
        assert!(told.contains(words), "{told}{said}");
        assert!(said.contains("note: on 6."), "{said}");
    };
    check("inside: { pid: 1 }", 0, "1 claims, 0 not measured here, 0 vacuous, 0 hold anywhere");
    check("inside: { pid: { more_than: 0 } }", 1, "it holds");
}

/// A spec may name it there as well, where its program is not.
#[test]
fn a_runtime_of_ones_own_is_known_there() {
    let Some(kernel) = a_kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [spec, file] = ["spec.yaml", "mine.yaml"].map(|name| folder.path().join(name));
    fs::write(
        &spec,
        "scenario: A kernel\nruntimes: [native, mine]\nsandbox: { image: base }\nclaims:\n  it holds: { inside: { pid: 1 } }\n",
    )
    .unwrap();
    fs::write(
        &file,
        "runtime: mine\nabout: A script.\nprogram: /nowhere/mine\nversion: { run: ['{program}'], matches: '(.)' }
rootfs: directory\nrun: ['{program}', '{rootfs}', '{command}']\n",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_airtight"))
        .args(["prove", "--extent", "nulls", "--kernel", &kernel])
        .args(["--runtime-file".as_ref(), file.as_os_str(), spec.as_os_str()])
        .env_remove("AIRTIGHT_REQUIRE")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("2 claims, 1 not measured here, 0 vacuous"), "{told}{output:?}");
}

/// Where there is no VM, there is nothing to carry it out in.
#[test]
fn the_hosts_kernel_is_proven_without_a_vm() {
    let output = Command::new(env!("CARGO_BIN_EXE_airtight"))
        .args(["prove", "--kernel", "host", "specs/uts"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is proven without --kernel"));
}
