//! Which runtimes are usable here: the one place that decides what `--runtime all` stands for. It is measured by doing.

use std::path::Path;
use std::time::{Duration, Instant};

use super::nursery::Nursery;
use super::runtime::{First, Order, Runtime, by_name, names};
use crate::agent::protocol::Ask;
use crate::spec::Settings;

/// How long a runtime may take for a sandbox.
const PATIENCE: Duration = Duration::from_secs(20);

/// All runtimes, each with how long it took for a sandbox of its own default on this image, or what keeps it from making one.
pub fn tried<'a>(
    nursery: &'a Nursery,
    image: &'a Path,
) -> impl Iterator<Item = (&'static dyn Runtime, Result<Duration, String>)> + 'a {
    let all = names().into_iter().filter_map(|name| by_name(&name));
    all.map(|runtime| (runtime, try_out(runtime, nursery, image)))
}

/// A sandbox is made, its agent is asked something, and it is ended again.
fn try_out(runtime: &dyn Runtime, nursery: &Nursery, image: &Path) -> Result<Duration, String> {
    let (began, settings) = (Instant::now(), Settings::default());
    let deadline = began + PATIENCE;
    runtime.check(&settings).map_err(|cannot| cannot.reason)?;
    let (directory, first) = (Path::new("."), First::Agent);
    let order = Order { settings: &settings, image, directory, first, deadline, kept: false, breakage: None };
    let mut sandbox = runtime.start(nursery, &order).map_err(|error| error.to_string())?;
    sandbox.ready(deadline).map_err(|error| error.to_string())?;
    let agent = sandbox.agent().ok_or("it has no agent")?;
    agent.ask(&Ask::Observe(Vec::new()), deadline).map_err(|error| error.to_string())?;
    drop(sandbox);
    Ok(began.elapsed())
}
