//! What became of the folder that the host laid out for a sandbox: hostile images and settings lead there, and a sound runtime does not.

use std::fmt::Debug;
use std::path::Path;

use super::evidence::{reading, show};
use super::mounts::{Mount, mountinfo};
use super::vantage::FROM_OUTSIDE;
use super::{Fact, Kind, Subject, Unobserved};

/// Who knows what the scratch folder was like when it was laid out.
pub trait Traces: Send + Sync + Debug {
    /// Where it is, on the host.
    fn path(&self) -> &Path;

    /// What differs from how it was laid out: `folder/null: added`.
    ///
    /// # Errors
    /// It cannot be looked at.
    fn differences(&self) -> Result<Vec<String>, String>;
}

/// `scratch`
pub(super) const SCRATCH: Fact = Fact {
    name: "scratch",
    argument: None,
    kind: Kind::Set(&Kind::Text),
    views: FROM_OUTSIDE,
    brief: "What has changed in the sandbox's scratch folder on the host: `folder/null: added`.",
    long: "Where the settings name `{scratch}`, or have `planted`, the host lays out a folder for this sandbox alone, open to every user, \
           with `file`, `folder` and `folder/file` in it, and the settings lead there: by links of the image, by targets of mounts, \
           by the working directory. Each of its entries is held against how it was laid out, by type, mode, owner, size, links, \
           target and content: `added`, `changed`, `gone`; what is mounted there in the host's mount namespace is `mounted`, \
           and what of it the sandbox's process has in its own is `mounted at` a path. \
           Times are not looked at. A sandbox whose runtime refuses it, and starts it without what is hostile, has a scratch folder too.",
    example: "scratch: empty",
    observe: |subject, _| {
        let traces = subject.traces().ok_or_else(|| {
            Unobserved::because("the sandbox has no scratch folder: its settings name none")
        })?;
        let mut found = traces.differences().map_err(Unobserved::because)?;
        let (mounts, _) = mountinfo(&Subject::oneself())?;
        found.extend(mounted(&mounts, traces.path()));
        if !subject.is_nobody() && !subject.is_gone() {
            found.extend(brought_in(&mounts, &mountinfo(subject)?.0, traces.path()));
        }
        let raw = found.join("\n");
        Ok(reading(found, raw))
    },
    relate: None,
    same_outside: false,
};

/// What the host itself has mounted there by now.
fn mounted(hosts: &[Mount], folder: &Path) -> Vec<String> {
    let below =
        hosts.iter().map(|mount| show(&mount.point)).filter(|point| Path::new(point).starts_with(folder));
    below.map(|point| format!("{}: mounted", name(Path::new(&point), folder))).collect()
}

/// What of it is mounted in the sandbox: a bind mount of the same file system, whose root lies in the folder.
fn brought_in(hosts: &[Mount], sandboxes: &[Mount], folder: &Path) -> Vec<String> {
    let holds = |mount: &&Mount| folder.starts_with(show(&mount.point));
    // Of two mounts at one point the later lies on top.
    let Some(home) = hosts.iter().filter(holds).max_by_key(|mount| mount.point.len()) else {
        return Vec::new();
    };
    let rest = folder.strip_prefix(show(&home.point)).unwrap_or(folder);
    let root = Path::new(&show(&home.root)).join(rest);
    let same = sandboxes.iter().filter(|mount| mount.kind == home.kind && mount.source == home.source);
    let inside = same.filter(|mount| Path::new(&show(&mount.root)).starts_with(&root));
    inside
        .map(|mount| {
            format!("{}: mounted at {}", name(Path::new(&show(&mount.root)), &root), show(&mount.point))
        })
        .collect()
}

/// The path of something in the folder, from there; of the folder itself a dot.
fn name(path: &Path, folder: &Path) -> String {
    let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
    if name.is_empty() { ".".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::mounts::parse;
    use super::*;

    #[derive(Debug)]
    struct Known(PathBuf, Result<Vec<String>, String>);

    impl Traces for Known {
        fn path(&self) -> &Path {
            &self.0
        }
        fn differences(&self) -> Result<Vec<String>, String> {
            self.1.clone()
        }
    }

    #[test]
    fn what_is_brought_into_the_sandbox_is_told() {
        let mounts = |lines: &[&str]| -> Vec<Mount> {
            lines.iter().map(|line| parse(line.as_bytes()).unwrap()).collect()
        };
        let host = mounts(&["1 0 8:1 / / rw - ext4 /dev/vda rw", "2 1 8:2 /sub /tmp rw - ext4 /dev/vdb rw"]);
        let check = |line: &str, expected: &[&str]| {
            let found = brought_in(&host, &mounts(&[line]), Path::new("/tmp/run/scratch-0"));
            assert_eq!(found, expected, "{line}");
        };
        check("9 8 8:2 /sub/run/scratch-0/file /x rw - ext4 /dev/vdb rw", &["file: mounted at /x"]);
        check("9 8 8:2 /sub/run/scratch-0 /x rw - ext4 /dev/vdb rw", &[".: mounted at /x"]);
        check("9 8 8:2 /sub/run/scratch-01 /x rw - ext4 /dev/vdb rw", &[]);
        check("9 8 8:1 /tmp/run/scratch-0 /x rw - ext4 /dev/vda rw", &[]);
        check("9 8 8:2 / /x rw - ext4 /dev/vdb rw", &[]);
    }

    #[test]
    fn what_differs_and_what_is_mounted_is_told() {
        let check = |path: &str, differences: Result<Vec<String>, String>, expected: Result<&str, &str>| {
            let subject = Subject::nobody().traced_by(Some(Arc::new(Known(path.into(), differences))));
            let seen = (SCRATCH.observe)(&subject, "");
            let seen = seen.map(|reading| reading.value.to_string()).map_err(|error| error.reason);
            assert_eq!(seen, expected.map(str::to_owned).map_err(str::to_owned));
        };
        check("/no/such", Ok(Vec::new()), Ok("[]"));
        check("/no/such", Ok(vec!["new: added".to_owned()]), Ok("[\"new: added\"]"));
        check("/no/such", Err("gone".to_owned()), Err("gone"));
        check("/proc", Ok(Vec::new()), Ok("[\".: mounted\"]"));
        assert!((SCRATCH.observe)(&Subject::oneself(), "").is_err());
    }
}
