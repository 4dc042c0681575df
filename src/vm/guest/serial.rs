//! The second serial port: the way to the host.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::termios::{self, SetArg, tcdrain};

use crate::sys::{Failure, Result};
use crate::vm::wire::{FromGuest, Reader, ToGuest, Writer};

/// The port.
const PORT: &str = "/dev/ttyS1";

/// The line to the host, with both directions' records.
#[derive(Debug)]
pub(super) struct Serial {
    port: File,
    reader: Reader,
    writer: Writer,
}

impl Serial {
    /// Opens the port, which then carries bytes as they are.
    pub(super) fn open() -> Result<Self> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_CLOEXEC)
            .open(PORT);
        let port = opened.map_err(|error| Failure::from_io("open", &[&PORT], &error))?;
        let failed = |call: &'static str| move |errno| Failure::new(call, &[&PORT], errno);
        let mut settings = termios::tcgetattr(&port).map_err(failed("tcgetattr"))?;
        termios::cfmakeraw(&mut settings);
        termios::tcsetattr(&port, SetArg::TCSANOW, &settings).map_err(failed("tcsetattr"))?;
        Ok(Self { port, reader: Reader::default(), writer: Writer::default() })
    }

    /// For poll(2).
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.as_fd()
    }

    /// Says it, and waits until it is out: what the kernel has still in its buffer when the machine ends is lost.
    pub(super) fn say(&mut self, message: &FromGuest) -> Result<()> {
        let failed = |error: &std::io::Error| Failure::from_io("write", &[&PORT], error);
        let record = self.writer.record(message).map_err(|error| failed(&error.into()))?;
        self.port.write_all(&record).map_err(|error| failed(&error))?;
        tcdrain(&self.port).map_err(|errno| Failure::new("tcdrain", &[&PORT], errno))
    }

    /// Takes in what has come.
    pub(super) fn take_in(&mut self) -> Result<()> {
        let mut bytes = [0; 4096];
        let count = self.port.read(&mut bytes).map_err(|error| Failure::from_io("read", &[&PORT], &error))?;
        self.reader.feed(bytes.get(..count).unwrap_or_default());
        Ok(())
    }

    /// What the host has said.
    pub(super) fn heard(&mut self) -> Option<std::result::Result<ToGuest, String>> {
        self.reader.next()
    }
}
