//! `airtight prove --kernel`: the proof is carried out in the VM, by the airtight that is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::ValueEnum;

use super::prove::Prove;
use super::{Exit, end_cleanly_on_signals, visit};
use crate::image::cache_folder;
use crate::sandbox::Nursery;
use crate::vm::fleet::{Left, Visitor, Watch, quoted};
use crate::vm::kernel::{self, Choice};

/// Proves on each of the kernels, one after another, and says the worst of it.
pub(super) fn on_each(arguments: &Prove, runtime_files: &[PathBuf]) -> Result<Exit, Exit> {
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let cache = cache_folder().map_err(|error| Exit::Broken.telling(&error))?.join("kernels");
    let found = kernel::find(&arguments.kernels, arguments.kernel_list.as_deref(), &cache);
    let places =
        if arguments.specs.is_empty() { &[PathBuf::from("specs")] } else { arguments.specs.as_slice() };
    let (tests, mut files) = visit::specs(places)?;
    let runtimes = lay_runtimes(runtime_files, &mut files)
        .map_err(|error| Exit::Wrong.telling(&format!("a runtime's file cannot be read: {error}")))?;
    let visitor = Visitor { files, script: Some(script(arguments, &runtimes, places)), terminal: None };
    let mut exit = Exit::Held;
    for choice in found.map_err(|error| Exit::Wrong.telling(&error))? {
        let Choice::Vm(kernel) = choice else {
            let reason = "the host's own kernel is in no VM: what holds on it is proven without --kernel";
            return Err(Exit::Wrong.telling(&reason));
        };
        anstream::eprintln!("note: on {}", kernel.name);
        let left = visit::visit(&nursery, *kernel, &tests, &visitor, &Watch::default(), || ())?;
        exit = exit.worse(came_of(left));
    }
    Ok(exit)
}

/// Adds the files of runtimes, whose programs are not there, so that specs can name them. Gives the paths that they are to have.
fn lay_runtimes(places: &[PathBuf], files: &mut BTreeMap<String, String>) -> io::Result<Vec<String>> {
    let lay = |(number, place): (usize, &PathBuf)| {
        let name = format!(".runtimes/{number}.yaml");
        files.insert(name.clone(), fs::read_to_string(place)?);
        Ok(name)
    };
    places.iter().enumerate().map(lay).collect()
}

/// What the shell is to do: the same command, with the specs where they are there.
fn script(arguments: &Prove, runtimes: &[String], places: &[PathBuf]) -> String {
    let mut words = vec!["airtight".to_owned(), "prove".to_owned()];
    let mut option = |name: &str, value: &str| words.push(format!("--{name}={value}"));
    option("extent", &name_of(&arguments.extent));
    option("format", &name_of(&arguments.format));
    option("min-caught", &arguments.min_caught.to_string());
    arguments.deny.iter().for_each(|what| option("deny", &name_of(what)));
    arguments.claims.iter().for_each(|claim| option("claim", claim));
    arguments.tags.iter().for_each(|tag| option("tag", tag));
    arguments.jobs.iter().for_each(|jobs| option("jobs", &jobs.to_string()));
    for file in runtimes {
        option("runtime-file", file);
    }
    words.push("--".to_owned());
    words.extend(places.iter().map(|place| name_there(place)));
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("cd specs && exec {}\n", words.join(" "))
}

fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Below the folder of specs each place has its own name.
fn name_there(place: &Path) -> String {
    let whole = place.canonicalize().unwrap_or_else(|_| place.to_owned());
    whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn came_of(left: Left) -> Exit {
    match left {
        Left::Shell(_, Some(complaint)) => {
            Exit::Failed.telling(&format!("the kernel complained\n{complaint}"))
        }
        Left::Shell(code, None) => Exit::of_code(code),
        Left::Visitor => Exit::Broken.telling(&"nobody reads what is found"),
        Left::Vm(reason) => Exit::Failed.telling(&reason),
        Left::NoVm(reason) => Exit::Broken.telling(&reason),
    }
}
