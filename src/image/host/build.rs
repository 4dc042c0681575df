//! Copies programs and libraries into a root filesystem.
//!
//! It is laid out with one `/usr`, as distributions are now: `/bin`, `/sbin` and `/lib*` are links into it. So a loader finds
//! its libraries at the host's paths and in its own directories, without a cache file.

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::files::{FILES, os_release};
use super::find::Plan;
use crate::image::error::{ImageError, Result, io};
use crate::image::recipe::HostSource;
use crate::image::report::Report;
use crate::image::run::run;
use crate::image::skeleton;

/// Makes the image in the empty directory `root`.
pub(in super::super) fn build(name: &str, source: &HostSource, plan: &Plan, root: &Path) -> Result<Report> {
    let mut report = plan.report.clone();
    let mut tree = Tree { root, copied: HashMap::new() };
    tree.lay_out()?;
    for (name, path) in &plan.programs {
        tree.copy(path, &Path::new("usr/bin").join(name), 0o755)?;
    }
    for path in &plan.interpreters {
        tree.copy(path, &tree.place(path)?, 0o755)?;
    }
    tree.libraries(plan)?;
    for (path, text) in FILES {
        tree.write(path, text)?;
    }
    tree.write("etc/os-release", &os_release(name))?;
    if let Some(program) = &source.applets {
        tree.applets(program, plan, &mut report)?;
    }
    skeleton::complete(root)?;
    Ok(report)
}

struct Tree<'a> {
    root: &'a Path,
    /// Where in the image a file of the host already is, by device and inode: a program of many names is copied once.
    copied: HashMap<(u64, u64), PathBuf>,
}

impl Tree<'_> {
    fn lay_out(&self) -> Result<()> {
        let directories = ["usr/bin", "usr/lib", "etc", "root", "var/log"];
        directories.iter().try_for_each(|name| self.directory(Path::new(name)))?;
        for (link, target) in
            [("bin", "usr/bin"), ("sbin", "usr/bin"), ("usr/sbin", "bin"), ("lib", "usr/lib")]
        {
            self.link(link, Path::new(target))?;
        }
        Ok(())
    }

    /// Where a file of the host goes: `/lib64/x` to `usr/lib64/x`, with the link `lib64` beside it.
    fn place(&self, path: &Path) -> Result<PathBuf> {
        let mut parts = normal(path);
        let top = parts.first().cloned().unwrap_or_default();
        if top.starts_with("lib") {
            if self.root.join(&top).symlink_metadata().is_err() {
                self.directory(&Path::new("usr").join(&top))?;
                self.link(&top, &Path::new("usr").join(&top))?;
            }
            parts.insert(0, "usr".to_owned());
        }
        Ok(parts.iter().collect())
    }

    /// A library that is not where libc is gets a link there: an image has no `ld.so.cache` to find it by.
    fn libraries(&mut self, plan: &Plan) -> Result<()> {
        let libc =
            plan.libraries.iter().find(|(name, _)| name.starts_with("libc.")).map(|(_, path)| path.clone());
        let home = libc.map_or(Ok(PathBuf::from("usr/lib")), |path| self.place(&path))?;
        let home = home.parent().unwrap_or(Path::new("usr/lib")).to_owned();
        for (name, path) in &plan.libraries {
            let place = self.place(path)?;
            self.copy(path, &place, 0o644)?;
            let known = self.root.join(&home).join(name);
            if !name.contains('/') && known.symlink_metadata().is_err() {
                self.directory(&home)?;
                symlink(Path::new("/").join(&place), &known).map_err(io("symlink", &known))?;
            }
        }
        Ok(())
    }

    /// Copies the content. It is never a hard link to the host's file: what writes to the image would write to the host.
    fn copy(&mut self, from: &Path, to: &Path, mode: u32) -> Result<()> {
        let target = self.root.join(to);
        if target.symlink_metadata().is_ok() {
            return Ok(());
        }
        self.directory(to.parent().unwrap_or(Path::new("")))?;
        let meta = std::fs::metadata(from).map_err(io("stat", from))?;
        if let Some(first) = self.copied.get(&(meta.dev(), meta.ino())) {
            return std::fs::hard_link(first, &target).map_err(io("link", &target));
        }
        std::fs::copy(from, &target).map_err(io("copy", from))?;
        set_mode(&target, mode)?;
        self.copied.insert((meta.dev(), meta.ino()), target);
        Ok(())
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.root.join(path);
        std::fs::write(&path, text).map_err(io("write", &path))?;
        set_mode(&path, 0o644)
    }

    fn directory(&self, path: &Path) -> Result<()> {
        let mut here = self.root.to_owned();
        for part in path {
            here.push(part);
            if !here.is_dir() {
                std::fs::create_dir(&here).map_err(io("mkdir", &here))?;
                set_mode(&here, 0o755)?;
            }
        }
        Ok(())
    }

    fn link(&self, name: &str, target: &Path) -> Result<()> {
        let path = self.root.join(name);
        symlink(target, &path).map_err(io("symlink", &path))
    }

    /// Asks the program for its names and links each to it; a name that is taken or is no plain name is reported.
    fn applets(&self, program: &str, plan: &Plan, report: &mut Report) -> Result<()> {
        let host = plan.programs.iter().find(|(name, _)| name == program).map(|(_, path)| path.clone());
        let host =
            host.ok_or_else(|| ImageError::Program { program: program.to_owned(), mend: String::new() })?;
        for name in listed(&host)?.lines().filter(|name| *name != program) {
            let usable = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
            let path = self.root.join("usr/bin").join(name);
            match usable.then(|| symlink(program, &path)) {
                Some(Ok(())) => {}
                Some(Err(error)) => report.note(name, "applet", io("symlink", &path)(error).to_string()),
                None => report.note(name, "applet", "it is not a plain name"),
            }
        }
        Ok(())
    }
}

/// Sets a mode whatever the umask is: in a sandbox, other users read these files.
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(io("chmod", path))
}

fn listed(program: &Path) -> Result<String> {
    let said =
        run(Command::new(program).arg("--list"), Duration::from_secs(20)).map_err(io("execve", program))?;
    if said.status.success() && !said.output.trim().is_empty() {
        return Ok(said.output);
    }
    let command = format!("{} --list", program.display());
    Err(ImageError::Builder { command, how: "listed no applets".to_owned(), output: said.error })
}

/// The parts of an absolute path with `..` taken out, as `$ORIGIN/../lib` brings it in.
fn normal(path: &Path) -> Vec<String> {
    path.components().fold(Vec::new(), |mut parts, component| {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
        parts
    })
}
