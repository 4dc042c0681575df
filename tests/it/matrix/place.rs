//! Specs of a few claims, and runs of them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with specs in two areas, and room for reports.
pub(super) struct Place {
    folder: TempDir,
}

/// What every runtime differs in from `none`, and what is the same on all.
const NAMES: &str = "\
scenario: The names of a sandbox
why: A name that is the host's can be taken for the host.
see: [man:uts_namespaces(7), https://example.org/a?b=1&c=2]
tags: [smoke]
sandbox: { image: base }

claims:
  is the first process of its own namespace:
    inside: { pid: 1 }
  is on the same kernel as the host:
    inside: { uname: { release: { same_as: host } } }
  has its own host name:
    with: { hostname: box }
    inside: { hostname: box }
  is only for the built-in runtime:
    runtimes: [native]
    inside: { pid: 1 }
";

/// A command says all that a page, a terminal and a reader could be led astray by.
const HOSTILE: &str = r#"
scenario: '</script><script>document.title="pwned"</script> & <!--<script>'
why: '<img src=x onerror="document.title=1">'
sandbox: { image: base }

claims:
  says <b>nothing</b> "bad" & 'worse':
    run: printf '</script><script>document.title="pwned"</script>\033[31m\377\342\200\256<img src=x onerror=alert(1)>'
    stdout: harmless
"#;

impl Place {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (area, text) in [("names", NAMES), ("hostile", HOSTILE)] {
            std::fs::create_dir_all(folder.path().join("specs").join(area)).unwrap();
            std::fs::write(folder.path().join("specs").join(area).join("spec.yaml"), text).unwrap();
        }
        Self { folder }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// airtight in this folder.
    pub(super) fn airtight(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("AIRTIGHT_REQUIRE");
        command.env("XDG_STATE_HOME", self.path("state")).stdin(Stdio::null()).output().unwrap()
    }

    /// The same, of which the exit code is known; what it wrote to its standard output.
    pub(super) fn told(&self, arguments: &[&str], code: i32) -> String {
        let output = self.airtight(arguments);
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        stdout
    }
}
