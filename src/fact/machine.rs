//! The machine below all sandboxes: its processors, its memory, and when its kernel was started.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde_json::{Map, Value, json};

use super::evidence::{io_name, lines, malformed, number, read, reading, show};
use super::vantage::ITSELF;
use super::{Fact, Field, Kind, Reading, Unobserved};

/// `machine`
pub(super) const MACHINE: Fact = Fact {
    name: "machine",
    argument: None,
    kind: Kind::Record(&[
        Field { name: "cpus", kind: Kind::Set(&Kind::Int), brief: "The CPUs that the process may run on." },
        Field { name: "memory", kind: Kind::Limit, brief: "The memory that the kernel has, in bytes." },
        Field { name: "tasks", kind: Kind::Int, brief: "How many threads there are on the machine." },
    ]),
    views: ITSELF,
    brief: "What the machine has, as the kernel tells the process.",
    long: "sched_getaffinity(2) and sysinfo(2). No namespace has CPUs or memory of its own: a sandbox sees the machine's, \
           whatever its limits are. What shows others was put before the kernel (a library, lxcfs) or is another kernel.",
    example: "machine: { cpus: { same_as: host }, memory: { same_as: host } }",
    observe: |_, _| machine(),
    relate: None,
};

/// `processor`
pub(super) const PROCESSOR: Fact = Fact {
    name: "processor",
    argument: None,
    kind: Kind::Map(&Kind::Text),
    views: ITSELF,
    brief: "What /proc/cpuinfo says of the first processor.",
    long: "The first block of /proc/cpuinfo, proc_cpuinfo(5), by the kernel's own words: `vendor_id`, `model name`, `flags` on \
           x86, `CPU implementer`, `Features` on ARM. What changes from one moment to the next is left out: `cpu MHz`, `bogomips`.",
    example: "processor: { same_as: host }",
    observe: |_, _| {
        let bytes = read("/proc/cpuinfo")?;
        Ok(reading(first_block(&bytes), &bytes))
    },
    relate: None,
};

/// `boot_time`
pub(super) const BOOT_TIME: Fact = Fact {
    name: "boot_time",
    argument: None,
    kind: Kind::Int,
    views: ITSELF,
    brief: "When the kernel was started, in seconds since 1970.",
    long: "btime of /proc/stat, proc_stat(5): CLOCK_REALTIME less CLOCK_BOOTTIME. It is the host's where a sandbox has both \
           clocks of the host; a time namespace with an offset moves it (time_namespaces(7), Linux 5.6). It does not run, so that two \
           readings of it can be compared.",
    example: "boot_time: { same_as: host }",
    observe: |_, _| {
        let bytes = read("/proc/stat")?;
        let line = lines(&bytes).find(|line| line.starts_with(b"btime "));
        let line = line.ok_or_else(|| malformed("/proc/stat", "btime"))?;
        let seconds = number(&line[b"btime ".len()..]).ok_or_else(|| malformed("/proc/stat", "btime"))?;
        Ok(reading(seconds, line))
    },
    relate: None,
};

fn machine() -> Result<Reading, Unobserved> {
    let affinity = sched_getaffinity(Pid::from_raw(0)).map_err(|errno| {
        Unobserved::because(format!("sched_getaffinity() failed: {}", io_name(&errno.into())))
    })?;
    let cpus: Vec<usize> =
        (0..CpuSet::count()).filter(|cpu| affinity.is_set(*cpu).unwrap_or(false)).collect();
    let info = rustix::system::sysinfo();
    let value = json!({
        "cpus": cpus,
        "memory": u64::from(info.mem_unit).saturating_mul(info.totalram),
        "tasks": info.procs,
    });
    let raw = value.to_string();
    Ok(reading(value, raw))
}

fn first_block(cpuinfo: &[u8]) -> Map<String, Value> {
    let mut map = Map::new();
    for line in cpuinfo.split(|byte| *byte == b'\n').map(show).take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if !["cpu mhz", "bogomips"].contains(&name.trim().to_lowercase().as_str()) {
            map.insert(name.trim().to_owned(), value.trim().into());
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_is_read_without_what_changes() {
        let text = b"processor\t: 0\nmodel name\t: A B: C\ncpu MHz\t\t: 2400.1\nBogoMIPS\t: 1.0\npower management:\n\nprocessor\t: 1\n";
        let expected = json!({ "processor": "0", "model name": "A B: C", "power management": "" });
        assert_eq!(Value::from(first_block(text)), expected);
    }

    #[test]
    fn the_kernel_was_started_before_now() {
        let reading = (BOOT_TIME.observe)(&super::super::Subject::oneself(), "").unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(reading.value.as_i64().unwrap() <= i64::try_from(now.as_secs()).unwrap());
    }
}
