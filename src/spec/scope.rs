//! The viewpoints that a place of a spec may name.

use std::time::Duration;

use crate::fact::{Vantage, View};

use super::expectations::Frame;
use super::problem::Notes;
use super::suggest::one_of;
use super::tree::Node;

/// The names that are known at a step: of the scenario's sandboxes, and of what the steps before it named.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Whether the scenario says why.
    pub(super) has_why: bool,
    /// The scenario's time limit for each claim.
    pub(super) timeout: Option<Duration>,
    /// The sandboxes, in order; never empty once built.
    pub(super) sandboxes: Vec<String>,
    /// The agents that joined.
    pub(super) agents: Vec<String>,
    /// The commands in the background.
    pub(super) commands: Vec<String>,
}

impl Scope {
    /// The first sandbox: that of `inside` and `outside`.
    pub(super) fn first(&self) -> &str {
        self.sandboxes.first().map_or("inside", String::as_str)
    }

    /// Whether a name is taken.
    pub(super) fn has(&self, name: &str) -> bool {
        [&self.sandboxes, &self.agents, &self.commands].into_iter().flatten().any(|known| known == name)
    }

    /// The viewpoint of this word, if it is one.
    pub(super) fn view(&self, word: &str) -> Option<View> {
        let looks = |name: &String| *name == word;
        match word {
            "host" => Some(View::Host),
            "inside" => Some(View::Inside(self.first().to_owned())),
            "outside" => Some(View::Outside(self.first().to_owned())),
            _ => match word.strip_prefix("outside ") {
                Some(name) => self.has(name).then(|| View::Outside(name.to_owned())),
                None => self
                    .sandboxes
                    .iter()
                    .chain(&self.agents)
                    .any(looks)
                    .then(|| View::Inside(word.to_owned())),
            },
        }
    }

    /// All words that are viewpoints.
    pub(super) fn words(&self) -> Vec<String> {
        let named = self.sandboxes.iter().chain(&self.agents).filter(|name| *name != "inside");
        let outside = self.sandboxes.iter().chain(&self.agents).chain(&self.commands);
        let outside = outside.filter(|name| *name != "inside").map(|name| format!("outside {name}"));
        let fixed = ["inside", "outside", "host"].map(str::to_owned);
        fixed.into_iter().chain(named.cloned()).chain(outside).collect()
    }

    /// Whether `inside` means the inside of this very name. A command in the background answers no questions, and what joined looks from
    /// inside already: to both of them `inside` is the sandbox's first process.
    fn is_seen_from_itself(&self, own: &str, frame: &Frame<'_>) -> bool {
        let joined = self.agents.iter().any(|name| name == own);
        let looks_inside = matches!(frame.view, Some(View::Inside(_)));
        let is_command = self.commands.iter().any(|name| name == own);
        !is_command && (!joined || !looks_inside)
    }

    /// Whether it is a further process that is looked at from outside: to it `outside` is that of the sandbox's first process.
    fn is_further_outside(&self, own: &str, frame: &Frame<'_>) -> bool {
        let first = self.sandboxes.iter().any(|name| name == own);
        !first && matches!(frame.view, Some(View::Outside(_)))
    }

    /// The viewpoint that `same_as` names: `outside` and `inside` are those of the same process.
    pub(super) fn other_view(&self, node: &Node, frame: &Frame<'_>, notes: &mut Notes) -> Option<View> {
        let word = super::arguments::plain_text(node, notes)?;
        let own = match frame.view {
            Some(View::Inside(name) | View::Outside(name)) => name.as_str(),
            _ => self.first(),
        };
        let view = match word.as_str() {
            "outside" if !self.is_further_outside(own, frame) => Some(View::Outside(own.to_owned())),
            "inside" if self.is_seen_from_itself(own, frame) => Some(View::Inside(own.to_owned())),
            word => self.view(word),
        };
        let Some(view) = view else {
            let words = self.words();
            let help = one_of(&word, words.iter().map(String::as_str).collect::<Vec<_>>());
            notes.error(node.at, format!("unknown viewpoint `{word}`"), "").help(help);
            return None;
        };
        if frame.view == Some(&view) {
            let problem = notes.error(node.at, format!("`{word}` is the viewpoint itself"), "");
            problem.help("a fact is always the same as itself: name another viewpoint");
            return None;
        }
        if !frame.views.contains(&vantage(&view)) {
            let problem = notes.error(node.at, format!("`{}` cannot be seen from `{word}`", frame.what), "");
            problem.help(format!("it can be seen {}", seen_from(frame.views)));
            return None;
        }
        Some(view)
    }
}

/// Who looks at whom.
pub(super) const fn vantage(view: &View) -> Vantage {
    match view {
        View::Inside(_) | View::Control(_) | View::Beginning(_) => Vantage::Inside,
        View::Outside(_) => Vantage::Outside,
        View::Host => Vantage::Host,
    }
}

/// Viewpoints in words: `inside and from the host`.
pub(super) fn seen_from(views: &[Vantage]) -> String {
    let words: Vec<_> = views.iter().map(|view| vantage_word(*view)).collect();
    words.join(" and ")
}

/// A viewpoint in words: `from the host`.
pub(super) const fn vantage_word(view: Vantage) -> &'static str {
    match view {
        Vantage::Inside => "inside",
        Vantage::Outside => "outside",
        Vantage::Host => "from the host",
    }
}
