//! Out of processes: the run is in a cgroup that allows only so many (the kernel's pids controller), from one to as many as it needs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;

use crate::watch::{Over, Place};

/// Several at a time: two sandboxes side by side, a further process, a control, a sandbox of a command.
const SPEC: &str = "scenario: Processes
sandbox: { image: base }
claims:
  is first: { steps: [{ exec: [sleep, \"MARK\"], as: sleeper }, { inside: { pid: 1 } }] }
  runs: { exec: [\"true\"] }
  is run: { run: [\"true\"] }
  is refused: { inside: { attempts: { mount: { tmpfs: denied }, syscall: { fsopen: denied } } } }
  is as the host sees it: { steps: [{ join: further }, { further: { ppid: 0 } }] }
";

/// More than the run ever has.
const ENOUGH: u32 = 64;

#[test]
fn a_run_without_processes_left_passes_nothing_unseen() {
    let cgroup = match Limited::make() {
        Ok(cgroup) => cgroup,
        Err(reason) => return eprintln!("not measured: {reason}"),
    };
    let mut passed = Vec::new();
    for limit in (1..=20).chain([ENOUGH]) {
        let over = cgroup.run(limit);
        match over.code {
            Some(0) => assert!(over.said.contains("5 passed"), "{limit}: {}", over.said),
            Some(3 | 4) => assert!(over.said.contains("EAGAIN"), "{limit}: {}", over.said),
            code => panic!("{limit}: {code:?}: {}", over.said),
        }
        // Of whatever was seen, nothing failed: that there are no processes left is no property of the sandbox.
        assert!(!over.said.contains("  failed "), "{limit}: {}", over.said);
        passed.push(over.code == Some(0));
    }
    assert!(!passed[0] && passed[passed.len() - 1], "{passed:?}");
}

/// A cgroup with a limit of processes; removed again, which the kernel refuses while there is a process in it.
struct Limited(PathBuf);

impl Limited {
    fn make() -> Result<Self, String> {
        if !Uid::effective().is_root() {
            return Err("only root may make a cgroup".to_owned());
        }
        let parents = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(Path::new);
        let parent = parents.into_iter().find(|parent| parent.join("cgroup.procs").exists());
        let parent = parent.ok_or("there is no cgroup hierarchy below /sys/fs/cgroup")?;
        let made = Self(parent.join(format!("out-of-pids-{}", std::process::id())));
        fs::create_dir(&made.0).map_err(|error| format!("mkdir({}): {error}", made.0.display()))?;
        let limit = made.0.join("pids.max");
        if limit.exists() { Ok(made) } else { Err(format!("there is no {}", limit.display())) }
    }

    /// The run of the spec within the limit; nothing of it is left.
    fn run(&self, limit: u32) -> Over {
        fs::write(self.0.join("pids.max"), limit.to_string()).unwrap();
        let place = Place::new();
        let run = place.command(SPEC, "native");
        let mut command = Command::new("sh");
        // A shell may go into the cgroup beyond its limit: only a fork is refused there.
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(self.0.join("cgroup.procs"));
        command.arg(run.get_program()).args(run.get_args()).args(["--jobs", "2"]);
        command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env_remove("AIRTIGHT_REQUIRE").current_dir(run.get_current_dir().unwrap());
        let output = File::create(place.path("output")).unwrap();
        let over = place.watch(command.stdout(output.try_clone().unwrap()).stderr(output)).end();
        place.assert_untouched(&over, &format!("with {limit} processes"));
        assert!(self.processes().unwrap().is_empty(), "{limit}: processes are left");
        over
    }

    fn processes(&self) -> io::Result<String> {
        fs::read_to_string(self.0.join("cgroup.procs"))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let removed = fs::remove_dir(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{}: {removed:?}", self.0.display());
    }
}
