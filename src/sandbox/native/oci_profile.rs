//! The default filter in the form of the OCI runtime specification (config-linux.md, `linux.seccomp`), for runtimes that are to install the
//! same. libseccomp, which they use, takes rules of other actions than the default alone, and of each rule one test of an argument.

use serde_json::{Value, json};
use syscalls::Sysno;

use super::default_filter::{BY_ARGUMENT, ByArgument, CLONE_NAMESPACES, REFUSED_BY_DEFAULT};

const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "SCMP_ARCH_AARCH64"
} else if cfg!(target_arch = "riscv64") {
    "SCMP_ARCH_RISCV64"
} else {
    "SCMP_ARCH_X86_64"
};

/// The half of an argument that the default filter looks at.
const LOW_HALF: u32 = u32::MAX;

/// `linux.seccomp`: everything is allowed but for what the default filter refuses.
pub(in crate::sandbox) fn default_profile() -> Value {
    let here = REFUSED_BY_DEFAULT.iter().filter(|name| name.parse::<Sysno>().is_ok());
    let mut rules = vec![
        json!({ "names": here.collect::<Vec<_>>(), "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EPERM }),
        json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }),
    ];
    let flags = CLONE_NAMESPACES.iter().map(|flag| flag.unsigned_abs());
    rules.extend(flags.map(|flag| refused("clone", 0, flag, flag)));
    rules.extend(BY_ARGUMENT.iter().flat_map(by_argument));
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [ARCHITECTURE], "syscalls": rules })
}

/// The call is refused where the argument's bits under the mask are these.
fn refused(call: &str, index: usize, mask: u32, bits: u32) -> Value {
    let test = json!({ "index": index, "value": mask, "valueTwo": bits, "op": "SCMP_CMP_MASKED_EQ" });
    json!({ "names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EPERM, "args": [test] })
}

fn by_argument(rule: &ByArgument) -> Vec<Value> {
    let (call, index) = (rule.call.name(), rule.index());
    if rule.otherwise == libc::SECCOMP_RET_ALLOW {
        return rule.values.iter().map(|value| refused(call, index, LOW_HALF, *value)).collect();
    }
    all_but(rule.values).into_iter().map(|(mask, bits)| refused(call, index, mask, bits)).collect()
}

/// What all other values have, as masks and bits, if these values are the combinations of some bits, and the value of all ones: any other
/// bit without the highest, and the highest without any other.
fn all_but(values: &[u32]) -> Vec<(u32, u32)> {
    const HIGHEST: u32 = 1 << 31;
    let free = values.iter().filter(|value| **value != u32::MAX).fold(0, |bits, value| bits | value);
    let lower = || (0..31).map(|number| 1_u32 << number);
    let strange = lower().filter(|bit| bit & free == 0).map(|bit| (HIGHEST | bit, bit));
    strange.chain(lower().map(|bit| (HIGHEST | bit, HIGHEST))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_leave_just_the_values_that_are_allowed() {
        let allowed = [0, 0x8, 0x2_0000, 0x2_0008, u32::MAX];
        let masks = all_but(&allowed);
        let check = |value: u32, expected: bool| {
            let refused = masks.iter().any(|(mask, bits)| value & mask == *bits);
            assert_eq!(!refused, expected, "{value:#x}");
        };
        for value in allowed {
            check(value, true);
        }
        for value in
            [1, 0x4_0000, 0x10_0000, 0x40_0000, 0x8000_0000, 0xffff_fffe, 0x7fff_ffff, 0x8004_0000, 0x9]
        {
            check(value, false);
        }
    }

    #[test]
    fn each_call_that_the_default_filter_knows_is_in_the_profile() {
        let profile = default_profile().to_string();
        for call in ["mount", "keyctl", "clone", "clone3", "socket", "ioctl", "personality"] {
            assert!(profile.contains(&format!("\"{call}\"")), "{call}");
        }
    }
}
