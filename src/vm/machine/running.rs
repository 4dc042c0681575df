//! One VM, from its start to its end.

use std::fs::{self, File};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::budget::{Allowance, Budget};
use super::command::{CONSOLE, CONTROL, Hardware, RESULTS, Start};
use super::console::Console;
use super::debugger;
use super::echo::Echo;
use super::fate::Fate;
use super::lines::Lines;
use super::qmp::Qmp;
use super::started::{accept, early};
use crate::fact::Ended;
use crate::sandbox::{Commanded, Nursery, Process, on_host, on_host_reading};
use crate::sys::machine::DONE;
use crate::sys::pipe;
use crate::vm::wire::{FromGuest, ToGuest};

/// How long QEMU may take to do what it is asked for.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a kernel may take to say where it hangs, and one that is switched off to be gone.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How QEMU exits where the guest has written its code for a good end to isa-debug-exit: twice that and one.
const SWITCHED_OFF: i32 = 2 * DONE as i32 + 1;

/// A running VM. Dropping it ends it.
#[derive(Debug)]
pub(in crate::vm) struct Machine {
    _folder: Folder,
    process: Process,
    streams: Commanded,
    lines: Lines,
    control: Qmp,
    budget: Budget,
}

/// Who looks at a VM while it runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::vm) struct Seen<'a> {
    /// The kernel's name.
    pub(in crate::vm) name: &'a str,
    /// Whether what it says is told at once.
    pub(in crate::vm) console: bool,
    /// Whether it waits for a debugger before it runs. Then it may be silent for ever.
    pub(in crate::vm) debugger: bool,
}

/// Where the sockets are. Dropping it removes it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Machine {
    /// Starts it. `spoken` is how many records the guest has written before it was saved.
    pub(in crate::vm) fn start(
        nursery: &Nursery,
        hardware: &Hardware,
        start: &Start,
        spoken: u32,
        allowed: Option<Allowance>,
        seen: Seen<'_>,
    ) -> Result<Self, Fate> {
        let failed = |error: &dyn std::fmt::Display| Fate::NotStarted(error.to_string());
        let folder = Folder(nursery.run().machine().map_err(|error| failed(&error))?);
        let listen = |name: &str| UnixListener::bind(folder.0.join(name)).map_err(|error| failed(&error));
        let sockets = [listen(CONSOLE)?, listen(RESULTS)?, listen(CONTROL)?];
        let mut argv = hardware.argv(&folder.0, start);
        if seen.debugger {
            argv.extend(debugger::argv(&folder.0));
        }
        let (process, mut streams) = match start {
            Start::From(saved) => {
                let state = File::open(&saved.state).map_err(|error| failed(&error))?;
                on_host_reading(nursery, argv, &state)
            }
            Start::Cold | Start::ToSave(_) => on_host(nursery, argv, ""),
        }
        .map_err(|error| failed(&error))?;
        let mut connected = connect(&sockets, start, &process, &mut streams);
        if let (true, Ok((_, control))) = (seen.debugger, &mut connected) {
            let waited = debugger::await_debugger(control, &folder.0, seen.name, &hardware.kernel);
            connected = waited.map_err(Fate::NotStarted).and(connected);
        }
        let ([console, results], control) = match connected {
            Ok(connected) => connected,
            Err(fate) => {
                process.end(Instant::now() + LAST_WORDS);
                return Err(fate);
            }
        };
        let budget = Budget::new(process.pid(), allowed.filter(|_| !seen.debugger));
        Ok(Self {
            _folder: folder,
            lines: Lines::new(console, results, spoken).echoing(seen.console.then(|| Echo::new(seen.name))),
            process,
            streams,
            control,
            budget,
        })
    }

    /// What the kernel has said.
    pub(in crate::vm) const fn console(&self) -> &Console {
        self.lines.text()
    }

    /// How many records the guest has written.
    pub(in crate::vm) const fn spoken(&self) -> u32 {
        self.lines.spoken()
    }

    /// What it may take from now on.
    pub(in crate::vm) fn allow(&mut self, allowed: Allowance) {
        self.budget.set(allowed);
    }

    /// Tells the guest something.
    pub(in crate::vm) fn say(&mut self, message: &ToGuest) -> Result<(), Fate> {
        let record = self.lines.record(message).map_err(Fate::NotStarted)?;
        let mut rest = record.as_slice();
        self.budget.renew();
        while !rest.is_empty() {
            match self.lines.write(rest) {
                Err(_) => return Err(self.ended()),
                Ok(0) => {
                    // Who cannot get rid of its own words takes none in.
                    self.listen();
                    self.check()?;
                }
                Ok(count) => {
                    self.budget.renew();
                    rest = &rest[count..];
                }
            }
        }
        Ok(())
    }

    /// Waits for what the guest says next.
    pub(in crate::vm) fn hear(&mut self) -> Result<FromGuest, Fate> {
        loop {
            if let Some(heard) = self.hear_or(None)? {
                return Ok(heard);
            }
        }
    }

    /// The same, or nothing once there is something to be read from this descriptor.
    pub(in crate::vm) fn hear_or(
        &mut self,
        other: Option<BorrowedFd<'_>>,
    ) -> Result<Option<FromGuest>, Fate> {
        loop {
            if let Some(heard) = self.lines.next() {
                self.budget.renew();
                return match heard.map_err(Fate::Garbled)? {
                    FromGuest::Stuck(reason) => Err(Fate::Stuck(reason)),
                    other => Ok(Some(other)),
                };
            }
            let (goes_on, ready) = self.listen_beside(other);
            if !goes_on {
                return Err(self.ended());
            }
            if ready {
                return Ok(None);
            }
            self.check()?;
        }
    }

    /// Takes in what has come on either line; whether there may be more.
    fn listen(&mut self) -> bool {
        self.listen_beside(None).0
    }

    /// The same, and whether there is something on another descriptor.
    fn listen_beside(&mut self, other: Option<BorrowedFd<'_>>) -> (bool, bool) {
        let look = self.lines.listen_beside(other);
        self.streams.transfer();
        if look.said > 0 {
            self.budget.word(look.said);
        }
        (look.goes_on, look.other)
    }

    /// It may go on as long as it has not used up what it may take.
    fn check(&mut self) -> Result<(), Fate> {
        let Some(spent) = self.budget.spent() else { return Ok(()) };
        self.ask_where();
        Err(Fate::silent(spent))
    }

    /// The kernel panics at an interrupt that nobody knows, and says where it was.
    fn ask_where(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        // It is ended either way.
        let _ = self.control.command("inject-nmi", &json!({}), until);
        while Instant::now() < until && self.listen() {}
    }

    /// QEMU has closed its lines.
    fn ended(&mut self) -> Fate {
        let ended = self.streams.run(&self.process, Instant::now() + LAST_WORDS);
        self.lines.drain_console();
        let said = String::from_utf8_lossy(&self.streams.stderr().bytes).into_owned();
        match self.process.failed() {
            Some(failure) => Fate::NotStarted(failure.to_string()),
            None => Fate::Ended(ended, said),
        }
    }

    /// Saves the whole VM in a file, and ends it.
    pub(in crate::vm) fn save(mut self, state: &Path) -> Result<Console, String> {
        let deadline = Instant::now() + PATIENCE;
        leave_memory(&mut self.control, deadline)?;
        // As fast as the disk takes it. It is saved running: one that was stopped would be restored stopped.
        self.control.command("migrate-set-parameters", &json!({ "max-bandwidth": 1_u64 << 40 }), deadline)?;
        let path = state.to_string_lossy().replace('\'', r"'\''");
        self.control.command("migrate", &json!({ "uri": format!("exec:cat >'{path}'") }), deadline)?;
        loop {
            let state = self.control.command("query-migrate", &json!({}), deadline)?;
            match state["status"].as_str() {
                Some("completed") => return Ok(self.lines.text().clone()),
                Some("failed" | "cancelled") => {
                    return Err(format!("QEMU could not save the VM: {}", state["error-desc"]));
                }
                _ => pipe::pause(Duration::from_millis(5)),
            }
        }
    }

    /// How long its end may take. A debugger may stop it there too.
    fn last_words(&self) -> Duration {
        if self.budget.is_limited() { LAST_WORDS } else { Duration::from_hours(24) }
    }

    /// Waits for its end, which the guest has announced, and holds QEMU's exit code against it.
    pub(in crate::vm) fn wait(&mut self) -> Result<(), Fate> {
        let deadline = Instant::now() + self.last_words();
        while Instant::now() < deadline && self.listen() {}
        match self.streams.run(&self.process, deadline) {
            // Under lockdown a guest may not write to ports, and is switched off as any machine is: then QEMU exits with 0.
            Some(Ended::Exited(SWITCHED_OFF | 0)) => Ok(()),
            None => Err(Fate::Hung(format!(
                "it was to be switched off, and was there {} s later",
                LAST_WORDS.as_secs()
            ))),
            Some(_) => Err(self.ended()),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.process.end(Instant::now() + LAST_WORDS);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is in it but sockets.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The serial lines, and the control of a QEMU that stands ready.
type Connected = ([OwnedFd; 2], Qmp);

/// Waits until QEMU has connected, and does what it is told.
fn connect(
    sockets: &[UnixListener; 3],
    start: &Start,
    process: &Process,
    streams: &mut Commanded,
) -> Result<Connected, Fate> {
    let [console, results, control] = [
        accept(&sockets[0], process, streams)?,
        accept(&sockets[1], process, streams)?,
        accept(&sockets[2], process, streams)?,
    ];
    let deadline = Instant::now() + PATIENCE;
    let control = Qmp::new(control, deadline).and_then(|mut control| {
        if let Start::From(_) = start {
            load(&mut control, deadline)?;
        }
        Ok(control)
    });
    let control = control.map_err(|why| early(process, streams, &why))?;
    Ok(([console, results], control))
}

/// The memory is in its file, and no part of the state.
fn leave_memory(control: &mut Qmp, deadline: Instant) -> Result<(), String> {
    let left = json!({ "capabilities": [{ "capability": "x-ignore-shared", "state": true }] });
    control.command("migrate-set-capabilities", &left, deadline).map(drop)
}

/// Takes in the state that is on the standard input.
fn load(control: &mut Qmp, deadline: Instant) -> Result<(), String> {
    leave_memory(control, deadline)?;
    control.command("migrate-incoming", &json!({ "uri": "fd:0" }), deadline)?;
    await_running(control, deadline)
}

/// Waits until a saved VM is there as a whole: what is said to it before is lost.
fn await_running(control: &mut Qmp, deadline: Instant) -> Result<(), String> {
    loop {
        let state = control.command("query-status", &json!({}), deadline)?;
        match state["status"].as_str() {
            Some("running" | "paused") => return Ok(()),
            Some("inmigrate") if Instant::now() < deadline => pipe::pause(Duration::from_millis(1)),
            other => return Err(format!("the restored VM is {}", other.unwrap_or("in no state"))),
        }
    }
}
