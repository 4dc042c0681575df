//! One experiment, and how it is asked for.

use super::seen::Seen;

/// One experiment.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    /// Its name in a spec: `first_child`.
    pub name: &'static str,
    /// What comes after the name.
    pub takes: Takes,
    /// What is done, and what the outcome is of.
    pub brief: &'static str,
    /// Whether it harms the machine where it is allowed: it is then tried only where that was booted for it.
    pub risky: bool,
    /// Does it; the words after the name are its argument.
    pub(super) run: fn(&str) -> Seen,
}

/// What an experiment takes besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A number up to this.
    Number(u32),
}

impl Experiment {
    /// Without an argument.
    pub(super) const fn plain(name: &'static str, brief: &'static str, run: fn(&str) -> Seen) -> Self {
        Self { name, takes: Takes::Nothing, brief, risky: false, run }
    }

    /// With one of these words.
    pub(super) const fn of(
        name: &'static str,
        words: &'static [&'static str],
        brief: &'static str,
        run: fn(&str) -> Seen,
    ) -> Self {
        Self { name, takes: Takes::OneOf(words), brief, risky: false, run }
    }

    /// With a number.
    pub(super) const fn counted(
        name: &'static str,
        most: u32,
        brief: &'static str,
        run: fn(&str) -> Seen,
    ) -> Self {
        Self { name, takes: Takes::Number(most), brief, risky: false, run }
    }

    /// The same, which harms the machine where it is allowed.
    pub(super) const fn with_risk(self) -> Self {
        Self { risky: true, ..self }
    }

    /// Its name and what it takes, as the manual shows it: `nest_pid N`.
    pub fn form(&self) -> String {
        match self.takes {
            Takes::Nothing => self.name.to_owned(),
            Takes::OneOf(words) => format!("{} {}", self.name, words.join("|")),
            Takes::Number(_) => format!("{} N", self.name),
        }
    }
}

impl Takes {
    /// Says what is wrong with the words after the name.
    pub(super) fn check(self, argument: &str) -> Result<(), String> {
        match self {
            Self::Nothing if argument.is_empty() => Ok(()),
            Self::Nothing => Err(format!("it takes nothing: leave `{argument}` out")),
            Self::OneOf(words) if words.contains(&argument) => Ok(()),
            Self::OneOf(words) => Err(format!("`{argument}` is none of its words: {}", words.join(", "))),
            Self::Number(most) => match argument.parse::<u32>() {
                Ok(number) if number <= most => Ok(()),
                _ => Err(format!("`{argument}` is no number for it: from 0 to {most}")),
            },
        }
    }
}
