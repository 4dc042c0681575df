//! Keeping the evidence of a claim that is red.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::outcome::Trouble;
use super::stage::Stage;
use crate::judge::Observations;
use crate::plan::Test;

/// Where evidence is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nowhere.
    #[default]
    Nothing,
    /// In one folder for each test, below this one.
    Below(PathBuf),
}

/// Files of the first process, as the host sees it.
const FILES: [&str; 6] = ["status", "mountinfo", "cgroup", "limits", "uid_map", "gid_map"];

impl Keep {
    /// `target/airtight` beside a Cargo.toml, else below the user's state directory.
    pub fn usual() -> Self {
        if Path::new("Cargo.toml").exists() {
            return Self::Below(PathBuf::from("target/airtight"));
        }
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home);
        state.map_or(Self::Nothing, |state| Self::Below(state.join("airtight/evidence")))
    }

    /// Writes what there is; the folder, if it could be written.
    pub(super) fn evidence(
        &self,
        stage: &Stage<'_>,
        test: &Test,
        trouble: &Trouble,
        observations: &Observations,
    ) -> Option<PathBuf> {
        let Self::Below(place) = self else { return None };
        let folder = place.join(folder_name(&test.name));
        write(&folder, stage, test, trouble, observations).ok().map(|()| folder)
    }
}

fn write(
    folder: &Path,
    stage: &Stage<'_>,
    test: &Test,
    trouble: &Trouble,
    observations: &Observations,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("test.txt"), format!("{}\n", test.name))?;
    fs::write(folder.join("settings.txt"), format!("{:#?}\n", test.settings()))?;
    fs::write(folder.join("trouble.json"), serde_json::to_string_pretty(trouble)?)?;
    fs::write(folder.join("observations.txt"), format!("{observations:#?}\n"))?;
    for (name, sandbox) in &stage.sandboxes {
        fs::write(folder.join(format!("{name}.stderr")), sandbox.complaints())?;
        for file in FILES {
            // A process that has ended has none.
            if let Ok(bytes) = fs::read(sandbox.subject().proc_file(file)) {
                fs::write(folder.join(format!("{name}.{file}")), bytes)?;
            }
        }
    }
    Ok(())
}

/// A test's name as the name of a folder: readable, and as long as a folder's name may be.
fn folder_name(test: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = test.chars().map(plain).take(200).collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
