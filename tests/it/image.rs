//! Images, built for real.

use std::path::Path;
use std::process::Command;

use airtight::image::Store;

#[test]
fn base_is_made_of_the_host_and_runs() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::at(&cache.path().join("images")).unwrap();
    let start = std::time::Instant::now();
    let base = store.rootfs("base", Path::new("/")).unwrap();
    eprintln!("cold {:?} {:?}", start.elapsed(), base.report);
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let again = store.rootfs("base", Path::new("/")).unwrap();
        eprintln!("warm {:?}", start.elapsed());
        assert_eq!(base, again);
    }
    let output = Command::new("unshare").args(["-r", "chroot"]).arg(&base.path).args(["/bin/sh", "-c", "ls -l / /usr; cat /etc/os-release; for p in /bin/*; do LD_TRACE_LOADED_OBJECTS=1 /lib64/ld-linux-x86-64.so.2 $p | grep 'not found'; done; mount --version"]).output().unwrap();
    eprintln!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
}
