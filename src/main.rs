//! The command line.

use std::process::ExitCode;

use airtight::cli::image;
use clap::Parser;

#[derive(Debug, Parser)]
#[command(version, about)]
enum Command {
    /// The images that sandboxes start from
    Image(image::Image),
}

fn main() -> ExitCode {
    if let Some(code) = airtight::role::enter() {
        return code;
    }
    let Command::Image(image) = Command::parse();
    match image::run(&image, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}
