//! Bait: things of the host's that a sandbox must not reach. A spec says `{bait}` where their names, which are other ones in each run, are to
//! stand.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Query;

/// What the words in braces stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bait {
    /// `{bait}`: the name of an abstract socket, of a POSIX message queue (with a `/` before it), of a key in the session keyring and of
    /// one in the user keyring of what starts sandboxes, and of a file in /dev/shm.
    pub name: String,
    /// `{bait.file}`: the path of a file, in the host's root directory where the runner may write there.
    pub file: PathBuf,
    /// `{bait.port}`: a TCP port on 127.0.0.1 on which someone listens; 0 where that was refused.
    pub port: u16,
    /// `{bait.key}`: the key of a System V shared memory segment, message queue and semaphore set.
    pub key: i32,
}

/// The attempts that may be made on the host itself as well, to see that the bait is there: they leave nothing and change nothing.
pub const ON_HOST: [&str; 5] = ["connect", "open", "write", "open_ipc", "find_key"];

impl Bait {
    /// Bait that is nowhere: with its names an object can be checked before there is any.
    pub fn sample() -> Self {
        Self { name: "airtight-bait".to_owned(), file: PathBuf::from("/airtight-bait"), port: 1, key: 1 }
    }

    /// Whether this text names bait.
    pub fn is_named_in(text: &str) -> bool {
        text.contains("{bait")
    }

    /// The text with the names in their places; or what is wrong with it.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        if text.contains("{bait.port}") && self.port == 0 {
            return Err("the host has no bait to be found by a port: none could be bound".to_owned());
        }
        let filled = text
            .replace("{bait}", &self.name)
            .replace("{bait.file}", &self.file.to_string_lossy())
            .replace("{bait.port}", &self.port.to_string())
            .replace("{bait.key}", &self.key.to_string());
        if Self::is_named_in(&filled) {
            return Err(format!(
                "`{text}` names no bait: write `{{bait}}`, `{{bait.file}}`, `{{bait.port}}` or `{{bait.key}}`"
            ));
        }
        Ok(filled)
    }

    /// A query that says what it means.
    pub fn fill_query(&self, query: &Query) -> Result<Query, String> {
        Ok(Query { fact: query.fact.clone(), argument: self.fill(&query.argument)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_their_places() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Bait::sample().fill(text).ok().as_deref(), expected, "{text}");
        };
        check("/plain {x}", Some("/plain {x}"));
        check("abstract {bait}", Some("abstract airtight-bait"));
        check("tcp 127.0.0.1:{bait.port}", Some("tcp 127.0.0.1:1"));
        check("{bait.file}{bait.key}", Some("/airtight-bait1"));
        check("{bait.name}", None);
        check("{bait", None);
        let query = |argument: &str| Query { fact: "open".to_owned(), argument: argument.to_owned() };
        let filled = Bait::sample().fill_query(&query("{bait.file}"));
        assert_eq!(filled, Ok(query("/airtight-bait")));
        let without = Bait { port: 0, ..Bait::sample() };
        assert!(without.fill("{bait.port}").is_err());
        assert!(without.fill("{bait.key}").is_ok());
    }
}
