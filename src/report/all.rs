//! Several listeners as one.

use crate::engine::{Event, Listener};

/// Tells each of them what it hears, in their order.
#[derive(Default)]
pub struct All(pub Vec<Box<dyn Listener>>);

impl std::fmt::Debug for All {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "All({} listeners)", self.0.len())
    }
}

impl Listener for All {
    fn hear(&mut self, event: &Event<'_>) {
        self.0.iter_mut().for_each(|listener| listener.hear(event));
    }

    fn lost(&self) -> Option<&std::io::Error> {
        self.0.iter().find_map(|listener| listener.lost())
    }
}
