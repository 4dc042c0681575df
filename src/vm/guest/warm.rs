//! What every scenario would do first, done once before the machine is saved.

use std::collections::BTreeMap;
use std::fs;

use crate::sandbox;
use crate::vm::layout::{IMAGES, RUNTIME, image_root};
use crate::vm::wire::Go;

/// The least that uses an image: it is found out whether it can be mounted with an id map, and copied where it cannot be. The program itself is in
/// memory then. No other namespace is made: the kernel is to be one that nobody has used.
const SPEC: &str = "\
scenario: The guest
sandbox: { image: here, new: [user, mount] }
claims:
  is there: { inside: { pid: 0 } }
";

/// What an engine is asked for, once for each image that it has.
pub(super) fn each_image(mut ask: impl FnMut(&Go)) {
    for image in fs::read_dir(IMAGES).into_iter().flatten().flatten() {
        ask(&asking(&image.file_name().to_string_lossy()));
    }
}

/// The runtime whose programs were brought is asked for its version and its like, and takes the images into its store if it has one.
pub(super) fn runtime() {
    let name = fs::read_to_string(RUNTIME).unwrap_or_default();
    let Some(runtime) = sandbox::by_name(&name) else { return };
    for image in fs::read_dir(IMAGES).into_iter().flatten().flatten() {
        // Where it fails, the claims will say so.
        let _ = runtime.make_ready(&image_root(&image.file_name().to_string_lossy()));
    }
}

fn asking(digest: &str) -> Go {
    Go {
        nonce: String::new(),
        clock: (0, 0),
        seed: String::new(),
        unprivileged: false,
        cores: false,
        spec: SPEC.to_owned(),
        name: "guest.yaml".to_owned(),
        prefix: "guest".to_owned(),
        beside: BTreeMap::new(),
        images: BTreeMap::from([("here".to_owned(), image_root(digest).to_string_lossy().into_owned())]),
        runtime: "native".to_owned(),
        tests: vec!["guest::The guest::is there [native]".to_owned()],
    }
}
