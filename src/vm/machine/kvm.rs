//! Whether KVM can be used. That `/dev/kvm` is there says little, and that it runs an instruction not much more: there are machines where it does so a thousand
//! times too slowly, so that no kernel ever boots. So a guest of three instructions counts to a million, in a process of its own that is
//! ended where it does not get there.

use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::answer;
use crate::sys::{Failure, kvm};

/// The word on the command line that names this role.
pub(crate) const ROLE: &str = "airtight-role-kvm";

/// How far it counts, one after another: from the first that it manages the speed is known.
const ROUNDS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// How long it may compute in all. Real hardware takes a millisecond, and what takes longer than this is refused anyway.
const COMPUTING: Duration = Duration::from_millis(30);

/// How fast hardware counts, in loops a nanosecond, and how much slower is slow: QEMU alone is faster than that.
const HARDWARE: f64 = 1.0;
const TOO_SLOW: f64 = 20.0;

/// Whether VMs can be run by KVM, and why not. It is found out once.
pub(in crate::vm) fn usable() -> Result<(), &'static str> {
    static USABLE: OnceLock<Result<(), String>> = OnceLock::new();
    USABLE.get_or_init(probe).as_ref().map(|&()| ()).map_err(String::as_str)
}

/// Counts, and says after each round how long it took: `LOOPS NANOSECONDS`. Or why it cannot.
pub(crate) fn play() -> ExitCode {
    match kvm::end_after(COMPUTING).and_then(|()| count()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn count() -> Result<(), Failure> {
    let mut counter = kvm::Counter::new()?;
    for loops in ROUNDS {
        let before = computed();
        if !counter.count(loops)? {
            println!("it stopped before it had counted to {loops}");
            return Ok(());
        }
        println!("{loops} {}", computed().saturating_sub(before).as_nanos());
        // The next round may be the last.
        let _ = std::io::stdout().flush();
    }
    Ok(())
}

/// What this process has computed: a host that is busy makes nothing slower.
fn computed() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

fn probe() -> Result<(), String> {
    let said = answer::of(&mut crate::role::command(ROLE)?).map_err(|error| error.to_string())?;
    judge(&said)
}

/// What its words mean.
fn judge(said: &str) -> Result<(), String> {
    let mut fastest: Option<(u32, f64)> = None;
    for line in said.lines() {
        let round =
            line.split_once(' ').and_then(|(loops, took)| Some((loops.parse().ok()?, took.parse().ok()?)));
        match round {
            Some((loops, took)) => fastest = Some((loops, f64::max(took, 1.0) * HARDWARE / f64::from(loops))),
            None if line.contains("ENOENT") => return Err("there is no /dev/kvm".to_owned()),
            None if line.contains("EACCES") => {
                return Err("no access to /dev/kvm: it takes the group kvm".to_owned());
            }
            None => return Err(format!("/dev/kvm does not work: {line}")),
        }
    }
    match fastest {
        None => Err("/dev/kvm does not run anything in time".to_owned()),
        Some((loops, slower)) if loops < ROUNDS[3] || slower > TOO_SLOW => {
            Err(format!("/dev/kvm runs some {:.0} times too slowly", slower.max(TOO_SLOW)))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn only_what_counts_at_the_speed_of_hardware_is_used() {
        let check = |said: &str, expected: Result<(), &str>| {
            assert_eq!(judge(said), expected.map_err(str::to_owned), "{said}");
        };
        check("1000 4000\n10000 12000\n100000 60000\n1000000 400000\n", Ok(()));
        // A guest within a guest: each entry is dear, what is within costs nothing.
        check("1000 90000\n10000 99000\n100000 150000\n1000000 700000\n", Ok(()));
        check("1000 1300000\n10000 21700000\n", Err("/dev/kvm runs some 2170 times too slowly"));
        check("1000 900\n10000 9000\n100000 90000\n", Err("/dev/kvm runs some 20 times too slowly"));
        check(
            "1000 900\n10000 9000\n100000 90000\n1000000 21000000\n",
            Err("/dev/kvm runs some 21 times too slowly"),
        );
        check("", Err("/dev/kvm does not run anything in time"));
        check("open(\"/dev/kvm\") failed: ENOENT\n", Err("there is no /dev/kvm"));
        check("open(\"/dev/kvm\") failed: EACCES\n", Err("no access to /dev/kvm: it takes the group kvm"));
        check(
            "1000 900\nit stopped before it had counted to 10000\n",
            Err("/dev/kvm does not work: it stopped before it had counted to 10000"),
        );
    }
}
