//! Mount options as mount(8) writes them, as flags of mount(2) and what is left for the file system.

use nix::mount::MsFlags;

/// Parsed mount options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MountOptions {
    /// Flags of mount(2).
    pub(super) flags: MsFlags,
    /// The rest, for the file system.
    pub(super) data: String,
}

const NAMES: [(&str, MsFlags); 8] = [
    ("ro", MsFlags::MS_RDONLY),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("noatime", MsFlags::MS_NOATIME),
    ("nodiratime", MsFlags::MS_NODIRATIME),
    ("relatime", MsFlags::MS_RELATIME),
    ("sync", MsFlags::MS_SYNCHRONOUS),
];

impl MountOptions {
    /// Sorts options into flags and data; `rw` is what there is without `ro`.
    pub(super) fn parse(options: &[String]) -> Self {
        let mut flags = MsFlags::empty();
        let mut data: Vec<&str> = Vec::new();
        for option in options.iter().filter(|option| *option != "rw") {
            match NAMES.iter().find(|(name, _)| name == option) {
                Some((_, flag)) => flags |= *flag,
                None => data.push(option),
            }
        }
        Self { flags, data: data.join(",") }
    }

    /// The flags that belong to a mount rather than to its file system: a remount with `MS_BIND` sets exactly these.
    pub(super) fn per_mount() -> MsFlags {
        NAMES.iter().fold(MsFlags::empty(), |flags, (_, flag)| flags | *flag) - MsFlags::MS_SYNCHRONOUS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_sorted_into_flags_and_data() {
        let options = ["ro", "size=1m", "nosuid", "mode=0700"].map(str::to_owned);
        let expected = MountOptions {
            flags: MsFlags::MS_RDONLY | MsFlags::MS_NOSUID,
            data: "size=1m,mode=0700".to_owned(),
        };
        assert_eq!(MountOptions::parse(&options), expected);
    }
}
