//! What host and guest say to each other over the second serial port: messages, and their framing as records.

mod bytes;
mod message;
mod record;

pub(crate) use bytes::{bytes_of, text_of};
pub(crate) use message::{FromGuest, Go, KernelFacts, Shell, Size, Summed, ToGuest, Verdict};
pub(crate) use record::{Reader, Writer};
