//! Time namespaces: `time_namespaces(7)`.

use std::fs;

use nix::sched::CloneFlags;
use nix::time::{ClockId, clock_gettime};

use super::Experiment;
use super::child::within;
use super::ground::{become_root, own};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};

/// `CLONE_NEWTIME` of include/uapi/linux/sched.h, Linux 5.6, which nix does not have.
const NEWTIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

/// An offset that no clock of a machine under test has by itself: thirty years, in seconds.
const YEARS: i64 = 946_684_800;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "clock_offset",
        &["monotonic", "boottime", "realtime", "self", "uptime", "exec"],
        "an offset of a time namespace: whether a clock of its child, or of the maker, has it",
        clock_offset,
    ),
    Experiment::of(
        "offsets",
        &["garbage", "realtime", "nanoseconds", "negative_nanoseconds", "overflow", "after_first"],
        "write() of /proc/self/timens_offsets",
        offsets,
    ),
    Experiment::plain(
        "timer_across",
        "clock_nanosleep(TIMER_ABSTIME) until what a time namespace's clock has passed: that it ends",
        timer_across,
    ),
];

fn seconds(clock: ClockId) -> Result<i64, Trouble> {
    clock_gettime(clock).map(|time| time.tv_sec()).prepares("clock_gettime()")
}

fn with_offset(clock: &str) -> Result<(), Trouble> {
    become_root(CloneFlags::empty())?;
    own(NEWTIME)?;
    fs::write("/proc/self/timens_offsets", format!("{clock} {YEARS} 0")).prepares("write(timens_offsets)")
}

fn uptime() -> Result<i64, Trouble> {
    let text = fs::read_to_string("/proc/uptime").prepares("read(/proc/uptime)")?;
    let whole = text.split(['.', ' ']).next().and_then(|text| text.parse().ok());
    whole.ok_or_else(|| Trouble::new("/proc/uptime is no number"))
}

fn clock_offset(what: &str) -> Seen {
    let name = if matches!(what, "boottime" | "uptime") { "boottime" } else { "monotonic" };
    let clock = match what {
        "boottime" => ClockId::CLOCK_BOOTTIME,
        "realtime" => ClockId::CLOCK_REALTIME,
        _ => ClockId::CLOCK_MONOTONIC,
    };
    let read = || if what == "uptime" { uptime() } else { seconds(clock) };
    let before = read()?;
    with_offset(name)?;
    let after = match what {
        "self" => read()?,
        "exec" => {
            let text =
                super::ground::output(c"/bin/cat", &[c"cat", c"/proc/self/timens_offsets"], || Ok(()))?;
            return gave(
                text.lines().next().unwrap_or_default().split_whitespace().nth(1).unwrap_or_default(),
            );
        }
        _ => within(0, read)?,
    };
    gave(if after - before >= YEARS { "has it" } else { "has it not" })
}

fn offsets(what: &str) -> Seen {
    become_root(CloneFlags::empty())?;
    own(NEWTIME)?;
    let write = |text: &str| fs::write("/proc/self/timens_offsets", text);
    control(write("monotonic 1 0").is_ok(), "an offset can be set")?;
    match what {
        "garbage" => tried(write("garbage")),
        "realtime" => tried(write("0 10 0")),
        "nanoseconds" => tried(write("monotonic 10 1000000000")),
        "negative_nanoseconds" => tried(write("monotonic 10 -1")),
        "overflow" => tried(write("monotonic 9223372036854775807 0")),
        _ => {
            within(0, || Ok(()))?;
            tried(write("monotonic 2 0"))
        }
    }
}

fn timer_across(_: &str) -> Seen {
    with_offset("monotonic")?;
    within(0, || {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).prepares("clock_gettime()")?;
        let flags = nix::time::ClockNanosleepFlags::TIMER_ABSTIME;
        nix::time::clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &now)
            .map(drop)
            .prepares("clock_nanosleep()")
    })?;
    gave("ends")
}
