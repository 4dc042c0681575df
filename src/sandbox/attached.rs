//! A sandbox that runs already, made by whoever: it is looked at from outside, and nothing is done to it.

use std::path::Path;

use super::nursery::{Nursery, Process};
use super::running::Sandbox;
use super::runtime::{Cannot, Order, Runtime, StartError};
use crate::spec::Settings;
use crate::sys::Failure;

/// The first process of a sandbox that runs already.
#[derive(Debug)]
pub struct Attached {
    pid: i32,
}

impl Attached {
    /// To the process of this PID.
    ///
    /// # Errors
    /// There is none.
    pub fn to(pid: i32) -> Result<Self, Failure> {
        let path = format!("/proc/{pid}/status");
        match Path::new(&path).metadata() {
            Ok(_) => Ok(Self { pid }),
            Err(error) => Err(Failure::from_io("stat", &[&path], &error)),
        }
    }
}

impl Runtime for Attached {
    fn name(&self) -> &'static str {
        "attached"
    }

    fn about(&self) -> &'static str {
        "A sandbox that runs already, and is only looked at."
    }

    fn again(&self, path: &str) -> String {
        format!("verify {path} --pid {}", self.pid)
    }

    fn is_attached(&self) -> bool {
        true
    }

    fn is_breakable(&self) -> bool {
        false
    }

    /// It is what it is: what a spec would have it be made like is no part of what it claims.
    /// But for what is planted, which is all that such a claim is about.
    fn check(&self, settings: &Settings) -> Result<(), Cannot> {
        if settings.are_hostile() {
            return Err(Cannot::because("nothing can be planted in a sandbox that runs already"));
        }
        Ok(())
    }

    fn start(&self, _: &Nursery, _: &Order<'_>) -> Result<Sandbox, StartError> {
        Ok(Sandbox::watched(Process::watch(self.pid)?))
    }
}
