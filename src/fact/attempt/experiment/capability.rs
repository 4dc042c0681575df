//! Capabilities over execve(2), the ambient set, `no_new_privs`, set-user-ID.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sched::CloneFlags;
use nix::unistd::{Uid, setresuid};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities_secure_bits,
    capability_is_in_ambient_set, configure_capability_in_ambient_set, no_new_privs,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
    set_keep_capabilities, set_no_new_privs,
};

use super::Experiment;
use super::child::within;
use super::ground::{self, become_user, line, rights, status_after_exec, with_only};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};

/// The one that is handed on here; it does no harm.
const ONE: CapabilitySet = CapabilitySet::NET_BIND_SERVICE;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "ambient",
        &["raise", "not_permitted", "not_inheritable", "forbidden"],
        "prctl(PR_CAP_AMBIENT_RAISE)",
        ambient,
    ),
    Experiment::plain(
        "ambient_falls",
        "an ambient capability that is taken out of the inheritable set: whether it is ambient still",
        ambient_falls,
    ),
    Experiment::of(
        "exec_with",
        &["nothing", "inheritable", "ambient"],
        "execve() by a user who is not root: the sets in which a capability is after",
        exec_with,
    ),
    Experiment::of(
        "nnp",
        &["fork", "exec"],
        "NoNewPrivs of /proc/self/status, in a child and after execve()",
        nnp,
    ),
    Experiment::plain("nnp_unset", "prctl(PR_SET_NO_NEW_PRIVS, 0)", nnp_unset),
    Experiment::of(
        "set_user_id",
        &["plain", "nnp", "nosuid"],
        "execve() of a set-user-ID program of root's by another user: the effective user after",
        set_user_id,
    ),
    Experiment::of(
        "file_capability_exec",
        &["plain", "nnp"],
        "execve() of a program with a file capability by a user who is not root: whether it has it",
        file_capability_exec,
    ),
    Experiment::of(
        "bounding",
        &["drop", "unprivileged", "exec"],
        "prctl(PR_CAPBSET_DROP), with and without CAP_SETPCAP, and what root has after execve()",
        bounding,
    ),
    Experiment::of(
        "secure_bits",
        &["locked", "noroot"],
        "a secure bit that is locked and then cleared; what root has after execve() with SECBIT_NOROOT",
        secure_bits,
    ),
    Experiment::of(
        "setuid_from_root",
        &["plain", "keep"],
        "setresuid() from root to another: the permitted and effective capabilities after",
        setuid_from_root,
    ),
    Experiment::plain(
        "permitted_raise",
        "capset() of a permitted capability that was given up",
        permitted_raise,
    ),
    Experiment::plain(
        "inheritable_beyond_bounding",
        "capset() of an inheritable capability that is not in the bounding set",
        inheritable_beyond_bounding,
    ),
];

fn plain_user() -> Result<(), Trouble> {
    become_user(1000, CloneFlags::empty())
}

fn sets(permitted: CapabilitySet, inheritable: CapabilitySet) -> Result<(), Trouble> {
    let sets = CapabilitySets { effective: permitted, permitted, inheritable };
    set_capabilities(None, sets).prepares("capset()")
}

fn ambient(what: &str) -> Seen {
    plain_user()?;
    let raise = || configure_capability_in_ambient_set(ONE, true);
    control(
        within(0, || {
            sets(ONE, ONE)?;
            Ok(raise().is_ok())
        })?,
        "permitted and inheritable it can be raised",
    )?;
    match what {
        "not_permitted" => sets(ONE, ONE).and_then(|()| sets(CapabilitySet::empty(), ONE))?,
        "not_inheritable" => sets(ONE, CapabilitySet::empty())?,
        "forbidden" => {
            set_capabilities_secure_bits(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE)
                .prepares("prctl(PR_SET_SECUREBITS)")?;
            sets(ONE, ONE)?;
        }
        _ => sets(ONE, ONE)?,
    }
    tried(raise())
}

fn ambient_falls(_: &str) -> Seen {
    plain_user()?;
    sets(ONE, ONE)?;
    configure_capability_in_ambient_set(ONE, true).prepares("prctl(PR_CAP_AMBIENT_RAISE)")?;
    sets(ONE, CapabilitySet::empty())?;
    let still = capability_is_in_ambient_set(ONE).prepares("prctl(PR_CAP_AMBIENT_IS_SET)")?;
    gave(if still { "ambient" } else { "gone" })
}

fn exec_with(what: &str) -> Seen {
    plain_user()?;
    let after = status_after_exec(|| {
        let inheritable = if what == "nothing" { CapabilitySet::empty() } else { ONE };
        sets(rights()?.permitted, inheritable)?;
        if what == "ambient" {
            configure_capability_in_ambient_set(ONE, true).prepares("prctl(PR_CAP_AMBIENT_RAISE)")?;
        }
        Ok(())
    })?;
    let names =
        [("CapInh", "inheritable"), ("CapPrm", "permitted"), ("CapEff", "effective"), ("CapAmb", "ambient")];
    let mut there = Vec::new();
    for (name, word) in names {
        if has(&after, name)? {
            there.push(word);
        }
    }
    gave(if there.is_empty() { "none".to_owned() } else { there.join(" ") })
}

/// Whether a set of a status has the one.
fn has(status: &str, set: &str) -> Result<bool, Trouble> {
    let bits = u64::from_str_radix(&line(status, set)?, 16).unwrap_or_default();
    Ok(CapabilitySet::from_bits_retain(bits).contains(ONE))
}

fn nnp(what: &str) -> Seen {
    control(!no_new_privs().prepares("prctl(PR_GET_NO_NEW_PRIVS)")?, "it is not set before")?;
    set_no_new_privs(true).prepares("prctl(PR_SET_NO_NEW_PRIVS)")?;
    gave(match what {
        "fork" => within(0, || ground::status("NoNewPrivs"))?,
        _ => line(&status_after_exec(|| Ok(()))?, "NoNewPrivs")?,
    })
}

fn nnp_unset(_: &str) -> Seen {
    set_no_new_privs(true).prepares("prctl(PR_SET_NO_NEW_PRIVS)")?;
    tried(set_no_new_privs(false))
}

/// A copy of cat(1) on a scratch file system.
fn copied_program() -> Result<(), Trouble> {
    let mounted =
        nix::mount::mount(Some("tmpfs"), ".", Some("tmpfs"), nix::mount::MsFlags::empty(), Some("mode=755"));
    mounted.prepares("mount(tmpfs)")?;
    nix::unistd::chdir(&std::env::current_dir().prepares("getcwd()")?).prepares("chdir()")?;
    fs::copy("/bin/cat", "cat").map(drop).prepares("copy(/bin/cat)")
}

fn run_copy(prepare: impl FnOnce() -> Result<(), Trouble>) -> Result<String, Trouble> {
    ground::output(c"./cat", &[c"cat", c"/proc/self/status"], prepare)
}

fn become_other() -> Result<(), Trouble> {
    let other = Uid::from_raw(1000);
    setresuid(other, other, other).prepares("setresuid()")
}

fn set_user_id(what: &str) -> Seen {
    ground::scratch()?;
    copied_program()?;
    fs::set_permissions("cat", fs::Permissions::from_mode(0o4755)).prepares("chmod(4755)")?;
    if what == "nosuid" {
        let flags =
            nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_NOSUID;
        ground::change(".", flags)?;
    }
    let after = run_copy(|| {
        become_other()?;
        if what == "nnp" { set_no_new_privs(true).prepares("prctl(PR_SET_NO_NEW_PRIVS)") } else { Ok(()) }
    })?;
    gave(format!("uid {}", line(&after, "Uid")?.split(' ').nth(1).unwrap_or_default()))
}

fn file_capability_exec(what: &str) -> Seen {
    ground::scratch()?;
    copied_program()?;
    // struct vfs_cap_data: VFS_CAP_REVISION_2 with VFS_CAP_FLAGS_EFFECTIVE, then permitted and inheritable, low words first.
    let mut value = [0_u8; 20];
    value[..4].copy_from_slice(&0x0200_0001_u32.to_le_bytes());
    value[4..8].copy_from_slice(&(1_u32 << 10).to_le_bytes());
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr("cat", "security.capability", &value, flags)
        .prepares("setxattr(security.capability)")?;
    let after = run_copy(|| {
        become_other()?;
        if what == "nnp" { set_no_new_privs(true).prepares("prctl(PR_SET_NO_NEW_PRIVS)") } else { Ok(()) }
    })?;
    gave(if has(&after, "CapEff")? { "has it" } else { "has it not" })
}

fn bounding(what: &str) -> Seen {
    ground::become_root(CloneFlags::empty())?;
    let drop_it = || remove_capability_from_bounding_set(ONE);
    match what {
        "drop" => tried(drop_it()),
        "unprivileged" => {
            control(within(0, || Ok(drop_it().is_ok()))?, "with CAP_SETPCAP it is dropped")?;
            with_only(CapabilitySet::SYS_ADMIN)?;
            tried(drop_it())
        }
        _ => {
            control(
                has(&status_after_exec(|| Ok(()))?, "CapEff")?,
                "before that root has it after execve()",
            )?;
            drop_it().prepares("prctl(PR_CAPBSET_DROP)")?;
            gave(if has(&status_after_exec(|| Ok(()))?, "CapEff")? { "has it" } else { "has it not" })
        }
    }
}

fn secure_bits(what: &str) -> Seen {
    ground::become_root(CloneFlags::empty())?;
    if what == "locked" {
        let both = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        set_capabilities_secure_bits(both).prepares("prctl(PR_SET_SECUREBITS)")?;
        control(capabilities_secure_bits().is_ok_and(|bits| bits == both), "both are set")?;
        return tried(set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT_LOCKED));
    }
    control(has(&status_after_exec(|| Ok(()))?, "CapEff")?, "without it root has all after execve()")?;
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT).prepares("prctl(PR_SET_SECUREBITS)")?;
    gave(if has(&status_after_exec(|| Ok(()))?, "CapEff")? { "has it" } else { "has it not" })
}

fn setuid_from_root(what: &str) -> Seen {
    set_keep_capabilities(what == "keep").prepares("prctl(PR_SET_KEEPCAPS)")?;
    control(rights()?.effective.contains(ONE), "root has it")?;
    become_other()?;
    let now = rights()?;
    let word = |set: CapabilitySet| if set.contains(ONE) { "kept" } else { "lost" };
    gave(format!("permitted {}, effective {}", word(now.permitted), word(now.effective)))
}

fn permitted_raise(_: &str) -> Seen {
    ground::become_root(CloneFlags::empty())?;
    let before = rights()?;
    with_only(CapabilitySet::empty())?;
    tried(set_capabilities(None, before))
}

fn inheritable_beyond_bounding(_: &str) -> Seen {
    ground::become_root(CloneFlags::empty())?;
    with_only(CapabilitySet::SETPCAP)?;
    let inherit = || {
        set_capabilities(
            None,
            CapabilitySets {
                effective: CapabilitySet::SETPCAP,
                permitted: CapabilitySet::SETPCAP,
                inheritable: ONE,
            },
        )
    };
    control(
        within(0, || Ok(inherit().is_ok()))?,
        "with CAP_SETPCAP one of the bounding set can be inherited",
    )?;
    remove_capability_from_bounding_set(ONE).prepares("prctl(PR_CAPBSET_DROP)")?;
    tried(inherit())
}
