//! The configuration with which the kernel was built.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::evidence::{read_up_to, reading, show, unreadable};
use super::vantage::ITSELF;
use super::{Fact, Kind, Reading, Unobserved};

/// A distribution's configuration is about 300 KiB.
const CAP: u64 = 8 << 20;

/// `kernel_config`
pub(super) const KERNEL_CONFIG: Fact = Fact {
    name: "kernel_config",
    argument: Some("NAME"),
    kind: Kind::Text,
    views: ITSELF,
    brief: "An option of the kernel's build configuration, by its name with `CONFIG_`.",
    long: "From /proc/config.gz, else /boot/config-RELEASE or /lib/modules/RELEASE/config. `y`, `m`, or the option's \
           value without quotes; `n` where the configuration says that it is not set; `unmentioned` where it does not \
           name the option at all: its dependencies are not set, or there is none of this name.",
    example: "kernel_config: { CONFIG_NAMESPACES: y }",
    observe: |_, name| observe(name),
    relate: None,
    same_outside: false,
};

fn observe(name: &str) -> Result<Reading, Unobserved> {
    check(name).map_err(Unobserved::because)?;
    let text = configuration()?;
    let (value, line) = find(&text, name);
    Ok(reading(value, line))
}

/// The name must be an option's.
pub(super) fn check(name: &str) -> Result<(), String> {
    if name.starts_with("CONFIG_") {
        Ok(())
    } else {
        Err(format!("`{name}` is no option's name: write `CONFIG_{name}`"))
    }
}

/// The first of the files that is there.
fn configuration() -> Result<Vec<u8>, Unobserved> {
    let release = show(rustix::system::uname().release().to_bytes());
    let plain = [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")];
    let files = std::iter::once("/proc/config.gz".to_owned()).chain(plain);
    for path in files.map(PathBuf::from) {
        match std::fs::File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path, &error)),
            Ok(file) if path.extension().is_some_and(|end| end == "gz") => {
                return read_up_to(GzDecoder::new(file), &path, CAP);
            }
            Ok(file) => return read_up_to(file, &path, CAP),
        }
    }
    Err(unreadable(Path::new("/proc/config.gz or /boot/config-RELEASE"), &ErrorKind::NotFound.into()))
}

fn find(text: &[u8], name: &str) -> (String, String) {
    let (set, unset) = (format!("{name}="), format!("# {name} is not set"));
    for line in text.split(|byte| *byte == b'\n').map(show) {
        if let Some(value) = line.strip_prefix(&set) {
            return (value.trim_matches('"').to_owned(), line);
        }
        if line == unset {
            return ("n".to_owned(), line);
        }
    }
    ("unmentioned".to_owned(), String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_unset_or_unmentioned() {
        let text = b"CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"text\"\nCONFIG_AB=m\n";
        let check = |name: &str, expected: &str| assert_eq!(find(text, name).0, expected);
        check("CONFIG_A", "y");
        check("CONFIG_B", "n");
        check("CONFIG_C", "text");
        check("CONFIG_AB", "m");
        check("CONFIG_D", "unmentioned");
    }
}
