//! The id map of a user namespace that a runtime makes: what it is told, and what the root filesystem is laid out for.

use super::definition::{Definition, Rootfs};
use super::spell::cannot;
use crate::sandbox::runtime::Cannot;
use crate::spec::{IdRange, Namespace, Settings};

/// The map where a spec names none: the same ids that a native sandbox has, which own nothing on the host.
const USUAL: IdRange = IdRange { inside: 0, outside: 100_000, count: 65_536 };

/// The map that these settings ask for; none where they ask for no user namespace, or the runtime makes it in a way of its own.
pub(super) fn id_map(definition: &Definition, settings: &Settings) -> Result<Option<Vec<IdRange>>, Cannot> {
    let asked = settings.new.as_ref().map(|new| new.0.contains(&Namespace::User));
    match settings.user.as_ref().and_then(|user| user.map.as_ref()) {
        Some(_) if asked == Some(false) => {
            let name = &definition.runtime;
            Err(Cannot::because(format!("{name} cannot set `user.map` without a user namespace of its own")))
        }
        Some(map) if takes(definition, map) => Ok(Some(map.clone())),
        Some(_) => Err(cannot(definition, "user.map")),
        None if asked == Some(true) && takes(definition, &[USUAL]) => Ok(Some(vec![USUAL])),
        None => Ok(None),
    }
}

fn takes(definition: &Definition, map: &[IdRange]) -> bool {
    let any = definition.rootfs == Rootfs::Bundle || definition.settings.map.is_some();
    let from_zero = definition.settings.map_from_zero.is_some() && matches!(map, [IdRange { inside: 0, .. }]);
    (any && !definition.cannot.contains_key("user.map")) || from_zero
}

/// Who the map's root is on the host.
pub(super) fn root_of(map: &[IdRange]) -> Option<u32> {
    map.iter().find(|range| range.inside == 0).map(|range| range.outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(rest: &str) -> Definition {
        let text = "{ runtime: x, about: x, program: x, version: { run: [], matches: x }, run: [], ";
        serde_yaml::from_str(&format!("{text}{rest} }}")).unwrap()
    }

    #[test]
    fn a_map_is_told_to_who_takes_one() {
        let check = |definition: &Definition, settings: &str, expected: Result<Option<u32>, &str>| {
            let settings: Settings = serde_yaml::from_str(settings).unwrap();
            let map = id_map(definition, &settings);
            let root = map.map(|map| map.as_deref().and_then(root_of)).map_err(|cannot| cannot.reason);
            assert_eq!(root, expected.map_err(str::to_owned), "{settings:?}");
        };
        let bundle = definition("rootfs: bundle");
        check(&bundle, "{}", Ok(None));
        check(&bundle, "{ new: [pid] }", Ok(None));
        check(&bundle, "{ new: [user] }", Ok(Some(100_000)));
        check(&bundle, "{ user: { map: [{ inside: 0, outside: 7, count: 1 }] } }", Ok(Some(7)));
        check(&bundle, "{ user: { map: [{ inside: 1, outside: 7, count: 1 }] } }", Ok(None));
        let shared = "{ new: [pid], user: { map: [{ inside: 0, outside: 7, count: 1 }] } }";
        check(&bundle, shared, Err("x cannot set `user.map` without a user namespace of its own"));
        let one = definition("rootfs: directory, settings: { map_from_zero: ['{outside}'] }");
        check(&one, "{ user: { map: [{ inside: 0, outside: 7, count: 1 }] } }", Ok(Some(7)));
        let refused = "{ user: { map: [{ inside: 1, outside: 7, count: 1 }] } }";
        check(&one, refused, Err("x cannot set `user.map`"));
        let none = definition("rootfs: directory, cannot: { user.map: it has no word for it }");
        check(&none, refused, Err("x cannot set `user.map`: it has no word for it"));
        check(&none, "{ new: [user] }", Ok(None));
    }
}
