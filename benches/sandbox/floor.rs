//! The floor: what the kernel itself takes for such a sandbox, with raw calls from a small process and nothing else. The same
//! namespaces and mounts as a native sandbox of the default settings has, `pivot_root`, execve of a static `true`, and a wait.

use std::ffi::CString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// `exit(0)`, as small as an ELF program for x86-64 can be: a header, one program header, and
/// `mov edi, 0; mov eax, 60; syscall`.
const TRUE: [u8; 132] = [
    0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0, 0x78, 0, 0x40, 0, 0,
    0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0,
    0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0,
    132, 0, 0, 0, 0, 0, 0, 0, 132, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0xbf, 0, 0, 0, 0, 0xb8,
    60, 0, 0, 0, 0x0f, 0x05,
];

/// Where `true` lies, in the image's copy.
const PROGRAM: &str = "/airtight-true";

/// Makes a copy of an image's directories with nothing in it but the program.
pub(crate) fn image(place: &Path) -> std::io::Result<()> {
    for directory in ["proc", "sys", "dev", "tmp", "etc", "run", "root", "var"] {
        std::fs::create_dir_all(place.join(directory))?;
    }
    let program = place.join(PROGRAM.trim_start_matches('/'));
    std::fs::write(&program, TRUE)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
}

/// Makes `count` sandboxes one after another; how long each took.
pub(crate) fn run(image: &Path, stage: &Path, count: usize) -> Vec<Duration> {
    (0..count).map(|_| once(image, stage)).collect()
}

fn once(image: &Path, stage: &Path) -> Duration {
    let began = Instant::now();
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWTIME;
    match airtight::sys::clone3(flags.unsigned_abs().into()).expect("clone3") {
        airtight::sys::Cloned::Child => {
            build(image, stage);
            let program = CString::new(PROGRAM).expect("no NUL");
            let _ = nix::unistd::execve(&program, std::slice::from_ref(&program), &[] as &[CString]);
            airtight::sys::exit_now(125)
        }
        airtight::sys::Cloned::Parent(child) => {
            let status =
                nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child.pid), None).expect("waitpid");
            assert_eq!(status, nix::sys::wait::WaitStatus::Exited(nix::unistd::Pid::from_raw(child.pid), 0));
        }
    }
    began.elapsed()
}

const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

fn build(image: &Path, stage: &Path) {
    let at = |source: &str, target: &Path, kind: Option<&str>, flags: MsFlags, data: &str| {
        mount(Some(source), target, kind, flags, Some(data)).unwrap_or_else(|errno| {
            eprintln!("floor: mount {source} {}: {errno}", target.display());
            airtight::sys::exit_now(124)
        });
    };
    wait_for_map();
    at("", Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, "");
    at("tmpfs", stage, Some("tmpfs"), MsFlags::MS_NOSUID, "uid=0,gid=0,mode=0755");
    let _ = nix::unistd::chdir(stage);
    for directory in ["lower", "upper", "work", "root"] {
        std::fs::create_dir(directory).expect("mkdir");
    }
    at(&image.to_string_lossy(), Path::new("lower"), None, MsFlags::MS_BIND, "");
    at(
        "overlay",
        Path::new("root"),
        Some("overlay"),
        MsFlags::empty(),
        "lowerdir=lower,upperdir=upper,workdir=work,userxattr",
    );
    at("proc", Path::new("root/proc"), Some("proc"), QUIET, "");
    at("sysfs", Path::new("root/sys"), Some("sysfs"), QUIET | MsFlags::MS_RDONLY, "");
    at("tmpfs", Path::new("root/dev"), Some("tmpfs"), MsFlags::MS_NOSUID, "mode=0755,size=64k");
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        let target = Path::new("root/dev").join(device);
        std::fs::write(&target, "").expect("create");
        at(&format!("/dev/{device}"), &target, None, MsFlags::MS_BIND, "");
    }
    for directory in ["pts", "shm", "mqueue"] {
        std::fs::create_dir(Path::new("root/dev").join(directory)).expect("mkdir");
    }
    at(
        "devpts",
        Path::new("root/dev/pts"),
        Some("devpts"),
        MsFlags::MS_NOSUID,
        "newinstance,ptmxmode=0666,mode=0620",
    );
    at("tmpfs", Path::new("root/dev/shm"), Some("tmpfs"), QUIET, "mode=1777,size=64m");
    at("mqueue", Path::new("root/dev/mqueue"), Some("mqueue"), QUIET, "");
    for path in ["bus", "fs", "irq", "sys", "sysrq-trigger"].map(|name| Path::new("root/proc").join(name)) {
        if path.exists() {
            at(&path.to_string_lossy(), &path, None, MsFlags::MS_BIND | MsFlags::MS_REC, "");
            at("", &path, None, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | QUIET, "");
        }
    }
    for name in MASKS {
        let path = Path::new("root").join(name);
        if path.is_dir() {
            at("tmpfs", &path, Some("tmpfs"), QUIET | MsFlags::MS_RDONLY, "size=0");
        } else if path.exists() {
            at("/dev/null", &path, None, MsFlags::MS_BIND, "");
        }
    }
    let _ = nix::unistd::chdir("root");
    nix::unistd::pivot_root(".", ".").expect("pivot_root");
    umount2(".", MntFlags::MNT_DETACH).expect("umount2");
}

const MASKS: [&str; 10] = [
    "proc/acpi",
    "proc/asound",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/timer_list",
    "proc/timer_stats",
    "proc/sched_debug",
    "proc/scsi",
    "sys/firmware",
];

/// A map of one id, which the process may write itself.
fn wait_for_map() {
    std::fs::write("/proc/self/setgroups", "deny").expect("setgroups");
    std::fs::write("/proc/self/uid_map", "0 0 1").expect("uid_map");
    std::fs::write("/proc/self/gid_map", "0 0 1").expect("gid_map");
}
