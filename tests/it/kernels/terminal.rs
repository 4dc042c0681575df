//! A shell in a VM at a terminal: keys go there, and the terminal is afterwards what it was.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::a_kernel;

/// How long a silent shell is waited for, in milliseconds.
const SILENCE: u32 = 300_000;

/// A shell at a terminal of its own, which the test has the other end of.
struct Session {
    airtight: Child,
    keys: std::fs::File,
    terminal: OwnedFd,
    before: LocalModes,
    said: String,
}

impl Session {
    fn new(kernel: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 41, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let before = tcgetattr(&terminal).unwrap().local_modes;
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let airtight = Command::new(env!("CARGO_BIN_EXE_airtight"))
            .args(["vm", "shell", "--kernel", kernel])
            .env("TERM", "vt100")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let mut session = Self { airtight, keys: master.into(), terminal, before, said: String::new() };
        session.wait_for("Ctrl-] ends it");
        session.wait_for("-amd64 # ");
        assert_ne!(session.modes(), before);
        session
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until the terminal shows this, and forgets what is before it.
    fn wait_for(&mut self, words: &str) {
        while !self.said.contains(words) {
            let mut fds = [PollFd::new(self.keys.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut fds, PollTimeout::try_from(SILENCE).unwrap()).unwrap();
            assert_eq!(ready, 1, "no `{words}` in {:?}", self.said);
            let mut bytes = [0; 4096];
            let count = self.keys.read(&mut bytes).unwrap();
            self.said += &String::from_utf8_lossy(&bytes[..count]);
        }
        let end = self.said.find(words).unwrap() + words.len();
        self.said.drain(..end);
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.terminal).unwrap().local_modes
    }

    /// The exit code; the terminal is what it was.
    fn ended(mut self) -> Option<i32> {
        let code = self.airtight.wait().unwrap().code();
        assert_eq!(self.modes(), self.before);
        code
    }
}

#[test]
fn a_terminal_is_the_guests_and_is_given_back() {
    let Some(kernel) = a_kernel() else { return };
    let mut session = Session::new(&kernel);
    session.press("stty size; echo $TERM; tty\r");
    session.wait_for("\r\n41 97\r\nvt100\r\n/dev/pts/");
    // What is typed is echoed, and is not yet what is said.
    session.press("sh -c 'trap \"echo cau\"\"ght; exit\" INT; echo rea\"\"dy; while :; do sleep 1; done'\r");
    session.wait_for("\r\nready\r\n");
    session.press("\x03");
    session.wait_for("caught\r\n");
    session.press("exit 3\r");
    assert_eq!(session.ended(), Some(3));
}

/// By the key for it also where nobody in the guest listens, and by a signal.
#[test]
fn a_visit_can_be_left() {
    let Some(kernel) = a_kernel() else { return };
    let mut session = Session::new(&kernel);
    session.press("echo stop\"\"ped; kill -STOP $$\r");
    session.wait_for("stopped\r\n");
    session.press(&"nobody reads this\r".repeat(500));
    session.press("\x1d");
    session.wait_for("left the VM");
    assert_eq!(session.ended(), Some(0));
    let session = Session::new(&kernel);
    kill(Pid::from_raw(i32::try_from(session.airtight.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(session.ended(), Some(130));
}
