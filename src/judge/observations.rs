//! What was observed of a claim's sandboxes.

use std::collections::BTreeMap;

use crate::fact::{Answer, Query, Value, View};
use crate::spec::Asked;

/// Answers by viewpoint and query.
#[derive(Debug, Clone, Default)]
pub struct Observations(BTreeMap<(View, Query), Answer>);

impl Observations {
    /// Adds an answer; a later one takes the place of an earlier.
    pub fn insert(&mut self, view: View, query: Query, answer: Answer) {
        self.0.insert((view, query), answer);
    }

    /// The answer to a query from a viewpoint.
    pub fn get(&self, view: &View, query: &Query) -> Option<&Answer> {
        self.0.get(&(view.clone(), query.clone()))
    }

    /// All answers to a query, by viewpoint.
    pub fn all<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = (&'a View, &'a Answer)> {
        self.0.iter().filter(move |((_, of), _)| of == query).map(|((view, _), answer)| (view, answer))
    }

    /// Takes over all answers of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The value seen from a viewpoint, held against the host's where the fact needs that; or why there is none.
    pub(super) fn value(&self, asked: &Asked, query: &Query, view: &View) -> Result<Value, String> {
        let mut value = self.plain(query, view)?;
        if let Asked::Fact(fact) = asked
            && let Some(relate) = fact.relate
        {
            relate(&mut value, &self.plain(query, &View::Host)?);
        }
        Ok(value)
    }

    fn plain(&self, query: &Query, view: &View) -> Result<Value, String> {
        match self.get(view, query) {
            None => Err("it was not observed".to_owned()),
            Some(Err(unobserved)) => Err(unobserved.reason.clone()),
            Some(Ok(reading)) => Ok(reading.value.clone()),
        }
    }
}
