//! The sandbox in which `denied` has its control: the same, with every restriction lifted.

use nix::unistd::Uid;

use crate::spec::{Capabilities, Mount, Namespace, Namespaces, Root, Settings};

/// The same settings without their restrictions. It never has fewer namespaces than the sandbox, but always all that an
/// attempt could reach the host through, so that the control does the host no harm; root needs no user namespace, and has
/// more rights without.
pub fn without_restrictions(settings: &Settings) -> Settings {
    let kinds =
        Namespace::ALL.into_iter().filter(|kind| *kind != Namespace::User || !Uid::effective().is_root());
    Settings {
        image: settings.image.clone(),
        new: Some(Namespaces(kinds.collect())),
        capabilities: Some(Capabilities { keep: None, drop: Some(Vec::new()) }),
        no_new_privs: Some(false),
        seccomp: Some("none".to_owned()),
        root: Some(Root::Writable),
        mounts: Some(mounts(settings)),
        mask: Some(Vec::new()),
        read_only: Some(Vec::new()),
        devices: settings.devices.clone(),
        env: settings.env.clone(),
        ..Settings::default()
    }
}

/// A sandbox's own `/sys` is read-only, whatever is set, unless it is among its mounts.
fn mounts(settings: &Settings) -> Vec<Mount> {
    let sys = Mount {
        target: "/sys".to_owned(),
        kind: Some("sysfs".to_owned()),
        source: None,
        options: ["nosuid", "nodev", "noexec"].map(str::to_owned).to_vec(),
    };
    let given = settings.mounts.iter().flatten();
    std::iter::once(sys).chain(given.filter(|mount| mount.target != "/sys").cloned()).collect()
}
