//! Debian suites: really built where the machine can, else the reason is a measured one.

use std::path::Path;

use airtight::image::Store;

use super::place::Place;

fn check(name: &str, version: &str) {
    Place::play();
    // Kept between runs of the tests: a suite takes half a minute to build.
    let store = Store::at(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("images")).unwrap();
    match store.available(name, Path::new("/")) {
        Ok(()) => {
            let rootfs = store.rootfs(name, Path::new("/")).unwrap();
            let release = std::fs::read_to_string(rootfs.path.join("etc/os-release")).unwrap();
            assert!(release.contains(&format!("VERSION_ID=\"{version}\"")), "{release}");
            assert!(rootfs.path.join("bin/ps").exists());
        }
        Err(why) => assert!(
            ["install", "needs", "cannot be had", "only as root"].iter().any(|word| why.contains(word)),
            "{why}"
        ),
    }
}

#[test]
fn debian_12_is_what_it_says() {
    check("debian-12", "12");
}

#[test]
fn debian_13_is_what_it_says() {
    check("debian-13", "13");
}

#[test]
fn a_suite_that_is_not_there_fails_with_what_the_tool_says() {
    let place = Place::new();
    place.write(
        "images/odd.yaml",
        b"about: x\ndebian: {suite: airtight-none, mirror: 'file:///nonexistent'}\n",
    );
    let error = place.store.rootfs("odd", place.path()).unwrap_err().to_string();
    let built = error.contains("debstrap --") || error.contains("debootstrap --");
    let built = built && error.contains("airtight-none") && error.contains("the end of its output:\n");
    let reason = error.starts_with("image `odd` cannot be built here: ");
    assert!(built || reason, "{error}");
    assert_eq!((place.names("store").len(), place.names("building").len()), (0, 0));
}
