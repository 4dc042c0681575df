//! Kernel parameters.

use super::evidence::{read, reading, show, words};
use super::vantage::ITSELF;
use super::{Fact, Kind, Reading, Unobserved};

/// `sysctls`
pub(super) const SYSCTLS: Fact = Fact {
    name: "sysctls",
    argument: Some("NAME"),
    kind: Kind::Text,
    views: ITSELF,
    brief: "The value of a kernel parameter, by its dotted name.",
    long: "The file under /proc/sys that sysctl(8) reads for the name; a name with slashes is taken as that path, for an \
           interface whose name has a dot. Runs of white space in the value show as one space. Many parameters of net, of \
           kernel.shm… and kernel.msg…, of fs.mqueue and of user belong to a namespace; all others are the kernel's own.",
    example: "sysctls: { net.ipv4.ip_forward: \"0\" }",
    observe: |_, name| sysctl(name),
    relate: None,
    same_outside: false,
};

fn sysctl(name: &str) -> Result<Reading, Unobserved> {
    let bytes = read(file(name).map_err(Unobserved::because)?)?;
    let value = words(&bytes).map(show).collect::<Vec<_>>().join(" ");
    Ok(reading(value, &bytes))
}

/// The parameter's file; nothing outside of /proc/sys is one.
pub(super) fn file(name: &str) -> Result<String, String> {
    let path = if name.contains('/') { name.to_owned() } else { name.replace('.', "/") };
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(format!("`{name}` is not the name of a kernel parameter"));
    }
    Ok(format!("/proc/sys/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dotted_or_paths() {
        let check = |name: &str, expected: Result<&str, &str>| {
            let value = sysctl(name).map(|reading| reading.value.as_str().unwrap().to_owned());
            assert_eq!(value.as_deref().map_err(|error| error.reason.as_str()), expected);
        };
        check("kernel.ostype", Ok("Linux"));
        check("kernel/ostype", Ok("Linux"));
        check("kernel.none", Err("cannot read /proc/sys/kernel/none: ENOENT"));
        check("kernel/../../version", Err("`kernel/../../version` is not the name of a kernel parameter"));
        check("", Err("`` is not the name of a kernel parameter"));
    }
}
