//! Becoming another user or group.

use nix::unistd::{Gid, Uid, getresgid, getresuid, setresgid, setresuid};

use super::outcome::{outcome, unprepared, with_undoing};
use crate::fact::{Attempt, Leaves, Unobserved};

/// `(uid_t) -1`: the id that setresuid(2) leaves as it is.
const SAME: u32 = u32::MAX;

/// `setuid`
pub(super) const SETUID: Attempt = Attempt {
    name: "setuid",
    object: "UID",
    brief: "Takes a user id as its saved one, and gives it up again.",
    long: "setresuid(-1, -1, UID), which needs the same right as setuid(2) and changes nothing that the process may do; then back. EPERM: \
           it has no CAP_SETUID, and the id is none of its own. EINVAL: its user namespace does not map the id.",
    example: "attempts: { setuid: { 1000: allowed } }",
    leaves: Leaves::Something,
    check: |object| id(object).map(drop),
    attempt: |object| {
        let user = Uid::from_raw(id(object).map_err(Unobserved::because)?);
        let before = getresuid().map_err(|errno| unprepared("getresuid()", errno))?;
        let saved = |user| setresuid(Uid::from_raw(SAME), Uid::from_raw(SAME), user);
        let result = saved(user);
        let undone = if result.is_ok() { saved(before.saved) } else { Ok(()) };
        Ok(with_undoing(outcome(&format!("setresuid(-1, -1, {user})"), result)?, undone))
    },
};

/// `setgid`
pub(super) const SETGID: Attempt = Attempt {
    name: "setgid",
    object: "GID",
    brief: "Takes a group id as its saved one, and gives it up again.",
    long: "setresgid(-1, -1, GID), then back, as `setuid`; the capability is CAP_SETGID.",
    example: "attempts: { setgid: { 1000: allowed } }",
    leaves: Leaves::Something,
    check: |object| id(object).map(drop),
    attempt: |object| {
        let group = Gid::from_raw(id(object).map_err(Unobserved::because)?);
        let before = getresgid().map_err(|errno| unprepared("getresgid()", errno))?;
        let saved = |group| setresgid(Gid::from_raw(SAME), Gid::from_raw(SAME), group);
        let result = saved(group);
        let undone = if result.is_ok() { saved(before.saved) } else { Ok(()) };
        Ok(with_undoing(outcome(&format!("setresgid(-1, -1, {group})"), result)?, undone))
    },
};

fn id(object: &str) -> Result<u32, String> {
    let id = object.parse().ok().filter(|id| *id != SAME);
    id.ok_or_else(|| format!("`{object}` is no id: write a number below 4294967295"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_that_can_be_one() {
        let check = |object: &str, expected: Option<u32>| assert_eq!(id(object).ok(), expected, "{object}");
        check("0", Some(0));
        check("65534", Some(65534));
        for wrong in ["", "-1", "4294967295", "root"] {
            check(wrong, None);
        }
    }
}
