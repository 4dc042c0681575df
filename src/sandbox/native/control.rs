//! The sandbox in which `denied` has its control: the same, with every restriction lifted.

use nix::unistd::Uid;

use crate::spec::{Capabilities, Namespace, Namespaces, Root, Settings};

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
        mounts: settings.mounts.clone(),
        mask: Some(Vec::new()),
        read_only: Some(Vec::new()),
        devices: settings.devices.clone(),
        env: settings.env.clone(),
        ..Settings::default()
    }
}
