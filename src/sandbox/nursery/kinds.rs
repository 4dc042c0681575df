//! The kinds of sandboxes that were asked for last. The blueprint of each is read once, and of a kind that is asked for again one
//! sandbox is made ahead: it waits, built and unused, for whoever asks next.

use std::os::linux::fs::MetadataExt;
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::make::Unborn;
use super::protocol::Written;
use crate::sandbox::native::Blueprint;
use crate::sys::{Failure, Result};

/// How many kinds are remembered: a claim's sandbox, its control, and the same of the claim that runs beside it.
const MOST: usize = 4;

/// The kinds, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Kinds(Vec<Kind>);

#[derive(Debug)]
struct Kind {
    written: Written,
    blueprint: Rc<Blueprint>,
    /// One that was asked for once may never be asked for again.
    again: bool,
    ahead: Option<Ahead>,
}

#[derive(Debug)]
struct Ahead {
    unborn: Unborn,
    image: (u64, u64),
}

impl Kinds {
    /// The blueprint of a request, and a sandbox of it if one was made ahead.
    pub(super) fn take(&mut self, written: &Written) -> Result<(Rc<Blueprint>, Option<Unborn>)> {
        if let Some(place) = self.place(written) {
            let mut kind = self.0.remove(place);
            kind.again = true;
            let (blueprint, unborn) = (Rc::clone(&kind.blueprint), kind.take());
            self.0.push(kind);
            return Ok((blueprint, unborn));
        }
        let blueprint = Rc::new(read(written)?);
        if self.0.len() == MOST {
            self.0.remove(0).give_up();
        }
        let (written, known) = (written.clone(), Rc::clone(&blueprint));
        self.0.push(Kind { written, blueprint: known, again: false, ahead: None });
        Ok((blueprint, None))
    }

    /// The blueprint of a sandbox that runs already.
    pub(super) fn blueprint(&self, written: &Written) -> Result<Rc<Blueprint>> {
        match self.place(written) {
            Some(place) => Ok(Rc::clone(&self.0[place].blueprint)),
            None => read(written).map(Rc::new),
        }
    }

    /// What is to be made ahead next.
    pub(super) fn wanting(&self) -> Option<Rc<Blueprint>> {
        let wants = |kind: &&Kind| kind.again && kind.ahead.is_none() && kind.blueprint.can_wait();
        self.0.iter().rev().find(wants).map(|kind| Rc::clone(&kind.blueprint))
    }

    /// Keeps what was made ahead; what could not be made is not tried again before someone asks for it, and hears why.
    pub(super) fn keep(&mut self, blueprint: &Rc<Blueprint>, made: Result<Unborn>) {
        let Some(kind) = self.0.iter_mut().find(|kind| Rc::ptr_eq(&kind.blueprint, blueprint)) else {
            return;
        };
        kind.again = made.is_ok();
        let image = identity_of_image(blueprint);
        kind.ahead = made.ok().map(|unborn| Ahead { unborn, image });
    }

    /// A process has ended that may have been one of these.
    pub(super) fn forget(&mut self, pid: i32) {
        for kind in &mut self.0 {
            if kind.ahead.as_ref().is_some_and(|ahead| ahead.unborn.pid() == pid) {
                kind.ahead = None;
            }
        }
    }

    /// Gives up what was made ahead: the host may be another soon.
    pub(super) fn give_up(&mut self) {
        self.0.iter_mut().for_each(Kind::give_up);
    }

    fn place(&self, written: &Written) -> Option<usize> {
        self.0.iter().position(|kind| kind.written.text() == written.text())
    }
}

impl Kind {
    /// Not if another image has come to lie there since.
    fn take(&mut self) -> Option<Unborn> {
        if self.ahead.as_ref()?.image != identity_of_image(&self.blueprint) {
            self.give_up();
        }
        self.ahead.take().map(|ahead| ahead.unborn)
    }

    /// It is waited for with all others.
    fn give_up(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            // It fails only for a process that is gone.
            let _ = kill(Pid::from_raw(ahead.unborn.pid()), Signal::SIGKILL);
        }
    }
}

fn identity_of_image(blueprint: &Blueprint) -> (u64, u64) {
    std::fs::metadata(&blueprint.image).map_or((0, 0), |image| (image.st_dev(), image.st_ino()))
}

fn read(written: &Written) -> Result<Blueprint> {
    written.read().map_err(|error| Failure::new("read", &[&error.to_string()], Errno::EINVAL))
}
