//! Subordinate ids: what /etc/subuid and /etc/subgid give the user, and newuidmap(1) may map.

use std::fs;

use nix::unistd::{Uid, User};

use crate::sandbox::program;

/// A first id and a count.
pub(super) type Range = (u32, u32);

/// The user's first ranges of users and groups; `None` where there are none, or the programs that map them are missing.
pub(super) fn ranges() -> Option<(Range, Range)> {
    program::find("newuidmap").and(program::find("newgidmap"))?;
    let user = User::from_uid(Uid::effective()).ok()??;
    Some((first_range("/etc/subuid", &user)?, first_range("/etc/subgid", &user)?))
}

/// Lines of `name-or-uid:first:count` (subuid(5)).
fn first_range(path: &str, user: &User) -> Option<Range> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| parse(line, &user.name, &user.uid.to_string()))
}

fn parse(line: &str, name: &str, uid: &str) -> Option<Range> {
    let mut fields = line.trim().split(':');
    let owner = fields.next()?;
    let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (owner == name || owner == uid).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let check = |line, expected| assert_eq!(parse(line, "ann", "1000"), expected, "{line}");
        check("ann:100000:65536", Some((100_000, 65_536)));
        check("1000:200000:10", Some((200_000, 10)));
        check("bob:100000:65536", None);
        check("ann:x:65536", None);
    }
}
