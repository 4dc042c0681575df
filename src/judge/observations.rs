//! What was observed of a claim's sandboxes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fact::{self, Answer, Peer, Peers, Query, Unobserved, Value, View};
use crate::spec::Asked;

/// The name of a scenario's only sandbox, which a spec does not name.
const ONLY: &str = "inside";

/// Answers by viewpoint and query.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Observations {
    #[serde(serialize_with = "as_list", deserialize_with = "from_list")]
    answers: BTreeMap<(View, Query), Answer>,
    /// The namespaces of the sandboxes that run, by name.
    sandboxes: BTreeMap<String, Answer>,
}

impl Observations {
    /// Adds an answer; a later one takes the place of an earlier.
    pub fn insert(&mut self, view: View, query: Query, answer: Answer) {
        self.answers.insert((view, query), answer);
    }

    /// Adds the fact `namespaces` of a sandbox's first process.
    pub fn insert_sandbox(&mut self, name: String, namespaces: Answer) {
        self.sandboxes.insert(name, namespaces);
    }

    /// The answer to a query from a viewpoint.
    pub fn get(&self, view: &View, query: &Query) -> Option<&Answer> {
        self.answers.get(&(view.clone(), query.clone()))
    }

    /// All answers to a query, by viewpoint.
    pub fn all<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = (&'a View, &'a Answer)> {
        self.answers.iter().filter(move |((_, of), _)| of == query).map(|((view, _), answer)| (view, answer))
    }

    /// The same with no more than so many bytes of each text behind a value.
    #[must_use]
    pub fn without_raw(&self, most: usize) -> Self {
        let mut same = self.clone();
        for reading in same.answers.values_mut().flatten() {
            let end = (0..=most.min(reading.raw.len())).rev().find(|end| reading.raw.is_char_boundary(*end));
            reading.raw.truncate(end.unwrap_or(0));
        }
        same
    }

    /// Takes over all answers of another set.
    pub fn extend(&mut self, other: Self) {
        self.answers.extend(other.answers);
        self.sandboxes.extend(other.sandboxes);
    }

    /// The value seen from a viewpoint, held against the host's and the sandboxes' where the fact needs that; or why there is
    /// none.
    pub(super) fn value(&self, asked: &Asked, query: &Query, view: &View) -> Result<Value, Unobserved> {
        let mut value = self.plain(query, view)?;
        if let Asked::Fact(fact) = asked
            && let Some(relate) = fact.relate
        {
            let of_host = Query { fact: fact::reference(fact).to_owned(), ..query.clone() };
            let (host, sandboxes) = (self.plain(&of_host, &View::Host)?, self.peers(view)?);
            let inside = matches!(at_first(view), View::Inside(_));
            relate(&mut value, &Peers { host: &host, sandboxes: &sandboxes, inside });
        }
        Ok(value)
    }

    /// The sandboxes that a process seen from this view may be in. Without one of them nothing could be called new.
    fn peers(&self, view: &View) -> Result<Vec<Peer>, Unobserved> {
        let of =
            if let View::Inside(name) | View::Outside(name) = at_first(view) { Some(name) } else { None };
        let peer = |(name, answer): (&String, &Answer)| match answer {
            Err(unobserved) => {
                Err(Unobserved::because(format!("namespaces of {name}: {}", unobserved.reason)))
            }
            Ok(reading) => {
                let (itself, namespaces) = (Some(name) == of, reading.value.clone());
                let name = if name == ONLY { "first" } else { name };
                Ok(Peer { name: name.to_owned(), namespaces, itself })
            }
        };
        self.sandboxes.iter().map(peer).collect()
    }

    fn plain(&self, query: &Query, view: &View) -> Result<Value, Unobserved> {
        match self.get(view, query) {
            None => Err(Unobserved::because("it was not observed")),
            Some(Err(unobserved)) => Err(unobserved.clone()),
            Some(Ok(reading)) => Ok(reading.value.clone()),
        }
    }
}

/// The view itself, whenever it was looked from.
fn at_first(view: &View) -> &View {
    if let View::Beginning(view) = view { at_first(view) } else { view }
}

/// JSON has no maps under anything but texts.
fn as_list<S: Serializer>(answers: &BTreeMap<(View, Query), Answer>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(answers.iter().map(|((view, query), answer)| (view, query, answer)))
}

fn from_list<'d, D: Deserializer<'d>>(from: D) -> Result<BTreeMap<(View, Query), Answer>, D::Error> {
    let list = Vec::<(View, Query, Answer)>::deserialize(from)?;
    let given = list.len();
    let answers: BTreeMap<_, _> =
        list.into_iter().map(|(view, query, answer)| ((view, query), answer)).collect();
    if answers.len() == given {
        Ok(answers)
    } else {
        Err(serde::de::Error::custom("an answer is given twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Reading;

    fn observed(raw: &str) -> (Observations, Query) {
        let query = Query { fact: "hostname".to_owned(), argument: String::new() };
        let mut observations = Observations::default();
        let answer = Ok(Reading { value: raw.into(), raw: raw.to_owned() });
        observations.insert(View::Host, query.clone(), answer);
        (observations, query)
    }

    #[test]
    fn they_are_written_and_read_again() {
        let (observations, query) = observed("vm");
        let text = serde_json::to_string(&observations).unwrap();
        let again: Observations = serde_json::from_str(&text).unwrap();
        assert_eq!(again.get(&View::Host, &query), observations.get(&View::Host, &query));
        assert!(again.get(&View::Host, &query).is_some());
    }

    #[test]
    fn an_answer_that_is_given_twice_is_none() {
        let (observations, _) = observed("vm");
        let mut written = serde_json::to_value(&observations).unwrap();
        let answers = written["answers"].as_array_mut().unwrap();
        answers.push(answers[0].clone());
        let error = serde_json::from_value::<Observations>(written).unwrap_err().to_string();
        assert_eq!(error, "an answer is given twice");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let (observations, query) = observed("aé");
        for (most, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aé")] {
            let cut = observations.without_raw(most);
            let answer = cut.get(&View::Host, &query).unwrap().as_ref().unwrap();
            assert_eq!((answer.raw.as_str(), &answer.value), (expected, &"aé".into()), "{most}");
        }
    }
}
