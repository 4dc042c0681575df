//! A runtime of another crate's that panics: its claim is broken, and the next one is judged as if nothing had been.
//!
//! It is a program of its own because the nursery must be started before the first thread.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use airtight::cli::Exit;
use airtight::engine::{Ended, Engine, Event, Keep, Listener, Options, Summary};
use airtight::plan::{Choice, Plan};
use airtight::sandbox::{Cannot, Nursery, Order, Runtime, Sandbox, StartError, by_name};
use airtight::spec::{Settings, parse};
use libtest_mimic::{Arguments, Failed, Trial};

const SPEC: &str = "scenario: A runtime that panics
sandbox: { image: base }
claims:
  starts it: { with: { hostname: panic }, inside: { pid: 1 } }
  comes after it: { inside: { pid: 1 } }
";

/// The built-in runtime, but for a sandbox of the name `panic`.
#[derive(Debug)]
struct Panicking;

impl Runtime for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn about(&self) -> &'static str {
        "panics on purpose"
    }

    fn check(&self, _: &Settings) -> Result<(), Cannot> {
        Ok(())
    }

    fn start(&self, nursery: &Nursery, order: &Order<'_>) -> Result<Sandbox, StartError> {
        assert_ne!(order.settings.hostname.as_deref(), Some("panic"), "this runtime panics on purpose");
        let native = by_name("native").ok_or_else(|| Cannot::because("there is no native runtime"))?;
        native.start(nursery, order)
    }
}

/// What became of each claim, with its message.
#[derive(Debug, Default)]
struct Heard(Vec<(String, Ended, String)>);

impl Listener for Heard {
    fn hear(&mut self, event: &Event<'_>) {
        if let Event::Ended { entry, outcome, .. } = event {
            let message = outcome.trouble().and_then(|trouble| trouble.message.clone()).unwrap_or_default();
            self.0.push((entry.name.clone(), outcome.ended(), message));
        }
    }
}

fn main() -> ExitCode {
    airtight::role::enter().unwrap_or_else(|| {
        // Before the first thread, which libtest-mimic would start.
        let ran = run();
        let trial = Trial::test("a_panic_in_a_trial_breaks_its_claim_and_no_other", move || judge(ran));
        libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
    })
}

fn run() -> Result<(Summary, Heard), String> {
    let nursery = Nursery::start().map_err(|error| error.to_string())?;
    let spec = parse(Path::new("panics.yaml"), SPEC.to_owned()).map_err(|problems| problems.render(false))?;
    let mut plan = Plan::new(Choice { runtimes: vec![&Panicking], ..Choice::default() });
    plan.add(&Arc::new(spec), "panics").map_err(|error| error.to_string())?;
    let options = Options { jobs: 1, required: Vec::new(), keep: Keep::Nothing, share: true };
    let engine = Engine::new(nursery, options).map_err(|error| error.to_string())?;
    let mut heard = Heard::default();
    let summary = engine.run(&plan, &mut heard);
    Ok((summary, heard))
}

fn judge(ran: Result<(Summary, Heard), String>) -> Result<(), Failed> {
    let (summary, Heard(heard)) = ran?;
    let of = |claim: &str| heard.iter().find(|(name, ..)| name.contains(claim)).ok_or(format!("{heard:?}"));
    let (_, ended, message) = of("starts it")?;
    assert_eq!((*ended, message.as_str()), (Ended::Broken, "airtight itself panicked; please report it"));
    assert_eq!(of("comes after it")?.1, Ended::Passed);
    assert_eq!(Exit::of(&summary), Exit::Broken);
    Ok(())
}
