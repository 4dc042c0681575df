//! How long a VM may say nothing. A host that is busy makes a VM slow and not wrong: so it is counted what QEMU has computed, and apart from that
//! the time in which it did not even want to compute. By the clock on the wall only a VM that the host never lets run comes to its end.
//!
//! Whether it wants to is seen by its threads: one that computes, or would if it were let, or waits for a disk, or was stopped, is not asleep (`proc_pid_stat(5)`).
//! Looked at every now and then, the threads of a kernel that boots were never all asleep, also where it was given a third of a CPU, and those of one
//! that waits for a timer nine times of ten.

use std::time::{Duration, Instant};

use procfs::process::{Process, Task};

/// How much more may pass by the clock on the wall than QEMU has computed.
const SLACK: u32 = 10;

/// What lies between two looks counts so much at most: who looks may have been stopped too.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// What a VM may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vm) struct Allowance {
    /// How long it may compute from one word to the next, on whichever line.
    pub(in crate::vm) word: Duration,
    /// How long it may compute from one record to the next, whatever the kernel says meanwhile: one that hangs can complain of that for ever.
    pub(in crate::vm) record: Duration,
    /// How long it may sleep from one record to the next.
    pub(in crate::vm) idle: Duration,
    /// How much the kernel may say from one record to the next, in bytes.
    pub(in crate::vm) said: usize,
}

/// What is left until a VM is taken for one that hangs.
#[derive(Debug)]
pub(super) struct Budget {
    pid: i32,
    /// Nothing where it may do as it likes.
    allowed: Option<Allowance>,
    /// What it had computed at its last word, and at its last record.
    word: Duration,
    record: Duration,
    idle: Duration,
    said: usize,
    looked: Instant,
    since: Instant,
}

/// What was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It has computed so long.
    Computing(Duration),
    /// It was asleep for so long.
    Idle(Duration),
    /// It has said so many bytes.
    Talking(usize),
    /// So much time has passed, in which it wanted to compute, and could not.
    Starved(Duration),
}

impl Budget {
    /// From now on, for the QEMU of this PID.
    pub(super) fn new(pid: i32, allowed: Option<Allowance>) -> Self {
        let (computed, now) = (computed(pid), Instant::now());
        Self {
            pid,
            allowed,
            word: computed,
            record: computed,
            idle: Duration::ZERO,
            said: 0,
            looked: now,
            since: now,
        }
    }

    /// It has said so many bytes.
    pub(super) fn word(&mut self, bytes: usize) {
        self.said += bytes;
        self.word = computed(self.pid);
    }

    /// It has said what was waited for: all begins anew.
    pub(super) fn renew(&mut self) {
        *self = Self::new(self.pid, self.allowed);
    }

    /// The same with another allowance; one that may do as it likes goes on so.
    pub(super) fn set(&mut self, allowed: Allowance) {
        self.allowed = self.allowed.map(|_| allowed);
        self.renew();
    }

    /// Whether it is ever spent.
    pub(super) const fn is_limited(&self) -> bool {
        self.allowed.is_some()
    }

    /// What was used up, if it was. It is to be asked again and again.
    pub(super) fn spent(&mut self) -> Option<Spent> {
        let allowed = self.allowed?;
        let passed = self.looked.elapsed().min(LONGEST_LOOK);
        self.looked = Instant::now();
        if sleeps(self.pid) {
            self.idle += passed;
        }
        let computed = computed(self.pid);
        let [word, record] = [self.word, self.record].map(|before| computed.saturating_sub(before));
        let waited = self.since.elapsed();
        if word >= allowed.word || record >= allowed.record {
            Some(Spent::Computing(word.max(record)))
        } else if self.said >= allowed.said {
            Some(Spent::Talking(self.said))
        } else if self.idle >= allowed.idle {
            Some(Spent::Idle(self.idle))
        } else {
            (waited >= allowed.record * SLACK).then_some(Spent::Starved(waited))
        }
    }
}

impl std::fmt::Display for Spent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, time) = match self {
            Self::Talking(bytes) => return write!(formatter, "it said {} MiB", bytes >> 20),
            Self::Computing(time) => ("it computed", time),
            Self::Idle(time) => ("it did nothing", time),
            Self::Starved(time) => ("the host did not let it run", time),
        };
        write!(formatter, "{what} for {:.0} s", time.as_secs_f64())
    }
}

/// Whether no thread of a process wants anything of the host; so it is of one that is not there.
fn sleeps(pid: i32) -> bool {
    let tasks = Process::new(pid).and_then(|process| process.tasks());
    let asleep = |task: Task| task.stat().is_ok_and(|stat| stat.state == 'S');
    tasks.map_or(true, |mut tasks| tasks.all(|task| task.is_ok_and(asleep)))
}

/// The processor time of a process with all its threads, `proc_pid_stat(5)`: `utime` and `stime`.
fn computed(pid: i32) -> Duration {
    let stat = Process::new(pid).and_then(|process| process.stat());
    let ticks = stat.map_or(0, |stat| stat.utime + stat.stime);
    Duration::from_millis(ticks * 1000 / procfs::ticks_per_second())
}
