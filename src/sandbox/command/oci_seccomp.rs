//! Seccomp profiles in the form that container engines keep them in (`archMap`, `includes`, `excludes`), as an OCI bundle takes them: an
//! engine decides for each container which of its rules are meant (moby, `profiles/seccomp/seccomp_linux.go`).

use serde_json::{Value, json};

/// Go's name of this architecture, and libseccomp's.
const ARCHITECTURE: (&str, &str) = if cfg!(target_arch = "aarch64") {
    ("arm64", "SCMP_ARCH_AARCH64")
} else if cfg!(target_arch = "riscv64") {
    ("riscv64", "SCMP_ARCH_RISCV64")
} else {
    ("amd64", "SCMP_ARCH_X86_64")
};

/// The profile for a process with these capabilities (`CAP_CHOWN`); one that is in the OCI form already stays as it is.
pub(super) fn translated(mut profile: Value, capabilities: &[Value]) -> Value {
    if let Some(rules) = profile["syscalls"].as_array_mut() {
        rules.retain(|rule| is_meant(rule, capabilities));
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            // What an engine alone understands.
            rule.retain(|key, _| !["includes", "excludes", "comment"].contains(&key.as_str()));
            if let Some(name) = rule.remove("name") {
                rule.insert("names".to_owned(), json!([name]));
            }
        }
    }
    if let Some(map) = profile.as_object_mut().and_then(|profile| profile.remove("archMap")) {
        profile["architectures"] = architectures(&map);
    }
    profile
}

fn architectures(map: &Value) -> Value {
    let own = map.as_array().into_iter().flatten().find(|entry| entry["architecture"] == ARCHITECTURE.1);
    let below = own.and_then(|entry| entry["subArchitectures"].as_array()).into_iter().flatten().cloned();
    Value::Array([json!(ARCHITECTURE.1)].into_iter().chain(below).collect())
}

/// It is for this architecture and these capabilities. A rule for newer kernels is taken: a call that there is not needs no rule.
fn is_meant(rule: &Value, capabilities: &[Value]) -> bool {
    let list = |of: &str, key: &str| rule[of][key].as_array().cloned().unwrap_or_default();
    let is_own = |name: &Value| name == ARCHITECTURE.0;
    let (only_for, not_for) = (list("includes", "arches"), list("excludes", "arches"));
    let has = |name: &Value| capabilities.contains(name);
    (only_for.is_empty() || only_for.iter().any(is_own))
        && !not_for.iter().any(is_own)
        && list("includes", "caps").iter().all(has)
        && !list("excludes", "caps").iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_for_an_architecture_and_for_capabilities() {
        let check = |rule: &Value, capabilities: &[Value], meant: bool| {
            let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule] });
            let rules = translated(profile, capabilities)["syscalls"].as_array().map(Vec::len);
            assert_eq!(rules, Some(usize::from(meant)), "{rule}");
        };
        let rule = |key: &str, of: &str, what: &str| json!({ "names": ["mount"], "action": "A", key: { of: [what] } });
        check(&json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW" }), &[], true);
        check(&rule("includes", "caps", "CAP_SYS_ADMIN"), &[], false);
        check(&rule("includes", "caps", "CAP_SYS_ADMIN"), &[json!("CAP_SYS_ADMIN")], true);
        check(&rule("excludes", "caps", "CAP_SYS_ADMIN"), &[json!("CAP_SYS_ADMIN")], false);
        check(&rule("includes", "arches", "vax"), &[], false);
        check(&rule("includes", "arches", ARCHITECTURE.0), &[], true);
        check(&rule("excludes", "arches", ARCHITECTURE.0), &[], false);
    }

    #[test]
    fn what_only_an_engine_understands_is_taken_out() {
        let own = ARCHITECTURE.1;
        let given = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "archMap": [{ "architecture": own, "subArchitectures": ["SCMP_ARCH_X86"] }, { "architecture": "SCMP_ARCH_S390" }],
            "syscalls": [{ "name": "read", "action": "SCMP_ACT_ALLOW", "comment": "", "includes": {}, "excludes": {} }],
        });
        let expected = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{ "action": "SCMP_ACT_ALLOW", "names": ["read"] }],
            "architectures": [own, "SCMP_ARCH_X86"],
        });
        assert_eq!(translated(given, &[]), expected);
    }
}
