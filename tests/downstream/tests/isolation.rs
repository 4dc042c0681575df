//! The specs of this crate, a test for each claim.

fn main() -> std::process::ExitCode {
    airtight::harness::run("specs")
}
