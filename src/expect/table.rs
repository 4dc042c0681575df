//! The table of matchers. To add one: an entry here, and its judge in one of the files beside it.

use crate::fact::Kind;

use super::judges::{isolation, lists, logic, numbers, paths, texts, whole};
use super::matcher::{Matcher, Sample, Shape};

/// The matcher of a bare value. It has no word of its own.
pub static IS: Matcher = Matcher {
    name: "is",
    applies: anything,
    shape: Shape::Value,
    judge: logic::is,
    brief: "Exactly this.",
    long: "A bare value means exactly this; a bare list this list in this order, of a set exactly these in any order.",
    example: "pid: 1",
    holds: Sample { value: "1", other: "" },
    fails: Sample { value: "2", other: "" },
};

/// All matchers, in the order in which the manual shows them.
pub static TABLE: &[Matcher] = &[
    Matcher {
        name: "not",
        applies: anything,
        shape: Shape::Nested,
        judge: logic::not,
        brief: "The expectation does not hold.",
        long: "What could not be observed stays broken: `not` never turns it into a pass.",
        example: "pid: { not: 1 }",
        holds: Sample { value: "2", other: "" },
        fails: Sample { value: "1", other: "" },
    },
    Matcher {
        name: "any_of",
        applies: anything,
        shape: Shape::Alternatives,
        judge: logic::any_of,
        brief: "At least one of these expectations holds.",
        long: "Each alternative is an expectation of its own; `one_of` is for plain values.",
        example: "umask: { any_of: [\"0022\", { matches: \"^00\" }] }",
        holds: Sample { value: "\"0077\"", other: "" },
        fails: Sample { value: "\"0777\"", other: "" },
    },
    Matcher {
        name: "one_of",
        applies: scalar,
        shape: Shape::Values,
        judge: logic::one_of,
        brief: "Exactly one of these values.",
        long: "A list of values of the fact's kind.",
        example: "umask: { one_of: [\"0022\", \"0077\"] }",
        holds: Sample { value: "\"022\"", other: "" },
        fails: Sample { value: "\"0002\"", other: "" },
    },
    Matcher {
        name: "at_least",
        applies: numeric,
        shape: Shape::Value,
        judge: numbers::at_least,
        brief: "This number or more.",
        long: "`unlimited` is more than every number.",
        example: "fds: { count: { at_least: 3 } }",
        holds: Sample { value: "[0, 1, 2]", other: "" },
        fails: Sample { value: "[0, 1]", other: "" },
    },
    Matcher {
        name: "at_most",
        applies: numeric,
        shape: Shape::Value,
        judge: numbers::at_most,
        brief: "This number or less.",
        long: "`unlimited` is more than every number.",
        example: "oom_score_adj: { at_most: 1000 }",
        holds: Sample { value: "1000", other: "" },
        fails: Sample { value: "1001", other: "" },
    },
    Matcher {
        name: "more_than",
        applies: numeric,
        shape: Shape::Value,
        judge: numbers::more_than,
        brief: "More than this number.",
        long: "`unlimited` is more than every number.",
        example: "pid: { more_than: 1 }",
        holds: Sample { value: "2", other: "" },
        fails: Sample { value: "1", other: "" },
    },
    Matcher {
        name: "less_than",
        applies: numeric,
        shape: Shape::Value,
        judge: numbers::less_than,
        brief: "Less than this number.",
        long: "`unlimited` is more than every number.",
        example: "ppid: { less_than: 2 }",
        holds: Sample { value: "1", other: "" },
        fails: Sample { value: "2", other: "" },
    },
    Matcher {
        name: "between",
        applies: numeric,
        shape: Shape::Range,
        judge: numbers::between,
        brief: "From the first number to the second, both included.",
        long: "A pair, the smaller number first.",
        example: "oom_score_adj: { between: [-1000, 1000] }",
        holds: Sample { value: "-1000", other: "" },
        fails: Sample { value: "1001", other: "" },
    },
    Matcher {
        name: "contains",
        applies: text_or_list,
        shape: Shape::Element,
        judge: lists::contains,
        brief: "The text contains this text; the list contains this element.",
        long: "For more than one element there is `contains_all`, for an expectation of an element `some`.",
        example: "cmdline: { contains: agent }",
        holds: Sample { value: "[\"airtight\", \"agent\"]", other: "" },
        fails: Sample { value: "[\"airtight\"]", other: "" },
    },
    Matcher {
        name: "starts_with",
        applies: textual,
        shape: Shape::Text,
        judge: texts::starts_with,
        brief: "The text starts with this.",
        long: "Compared byte by byte.",
        example: "cwd: { starts_with: / }",
        holds: Sample { value: "\"/\"", other: "" },
        fails: Sample { value: "\"(unreachable)/\"", other: "" },
    },
    Matcher {
        name: "ends_with",
        applies: textual,
        shape: Shape::Text,
        judge: texts::ends_with,
        brief: "The text ends with this.",
        long: "Compared byte by byte.",
        example: "exe: { ends_with: agent }",
        holds: Sample { value: "\"/airtight/agent\"", other: "" },
        fails: Sample { value: "\"/bin/sh\"", other: "" },
    },
    Matcher {
        name: "matches",
        applies: textual,
        shape: Shape::Regex,
        judge: texts::matches,
        brief: "The regular expression is found in the text.",
        long: "The syntax is that of the regex crate. It may match anywhere: anchor it with `^` and `$`.",
        example: "hostname: { matches: '^[a-z0-9-]+$' }",
        holds: Sample { value: "\"box-1\"", other: "" },
        fails: Sample { value: "\"Box 1\"", other: "" },
    },
    Matcher {
        name: "like",
        applies: textual,
        shape: Shape::Glob,
        judge: texts::matches,
        brief: "The whole text is like this pattern.",
        long: "`*` stands for any text, `?` for one character, `[abc]` for one of these, `[!abc]` for one of the others.",
        example: "uname: { release: { like: '*.*' } }",
        holds: Sample { value: "{\"release\": \"6.1.0\"}", other: "" },
        fails: Sample { value: "{\"release\": \"6\"}", other: "" },
    },
    Matcher {
        name: "empty",
        applies: text_or_collection,
        shape: Shape::Nothing,
        judge: lists::empty,
        brief: "Nothing is in it.",
        long: "Of a text, a list or a map.",
        example: "groups: empty",
        holds: Sample { value: "[]", other: "" },
        fails: Sample { value: "[10]", other: "" },
    },
    Matcher {
        name: "count",
        applies: collection,
        shape: Shape::NestedCount,
        judge: lists::count,
        brief: "It has this many elements.",
        long: "A number, or an expectation of the number.",
        example: "nspid: { count: { at_least: 2 } }",
        holds: Sample { value: "[4711, 1]", other: "" },
        fails: Sample { value: "[1]", other: "" },
    },
    Matcher {
        name: "some",
        applies: collection,
        shape: Shape::NestedElement,
        judge: lists::some,
        brief: "The expectation holds of at least one element.",
        long: "Of a map, of at least one value.",
        example: "cmdline: { some: { starts_with: / } }",
        holds: Sample { value: "[\"sh\", \"/x\"]", other: "" },
        fails: Sample { value: "[\"sh\", \"x\"]", other: "" },
    },
    Matcher {
        name: "each",
        applies: collection,
        shape: Shape::NestedElement,
        judge: lists::each,
        brief: "The expectation holds of every element.",
        long: "There must be at least one: of an empty list it says nothing, and fails.",
        example: "groups: { each: { less_than: 1000 } }",
        holds: Sample { value: "[10, 20]", other: "" },
        fails: Sample { value: "[]", other: "" },
    },
    Matcher {
        name: "none",
        applies: collection,
        shape: Shape::NestedElement,
        judge: lists::none,
        brief: "The expectation holds of no element.",
        long: "There must be at least one: of an empty list it says nothing, and fails. For an empty list there is `empty`.",
        example: "groups: { none: 0 }",
        holds: Sample { value: "[10]", other: "" },
        fails: Sample { value: "[]", other: "" },
    },
    Matcher {
        name: "contains_all",
        applies: list,
        shape: Shape::Elements,
        judge: lists::contains_all,
        brief: "All of these are among the elements.",
        long: "In any order, and others may be there.",
        example: "namespaces: { own: { contains_all: [pid, mount] } }",
        holds: Sample {
            value: "{\"pid\": \"pid:[2]\", \"mount\": \"mnt:[4]\"}",
            other: "{\"pid\": \"pid:[1]\", \"mount\": \"mnt:[3]\"}",
        },
        fails: Sample {
            value: "{\"pid\": \"pid:[2]\", \"mount\": \"mnt:[3]\"}",
            other: "{\"pid\": \"pid:[1]\", \"mount\": \"mnt:[3]\"}",
        },
    },
    Matcher {
        name: "exactly",
        applies: exact,
        shape: Shape::Exactly,
        judge: lists::exactly,
        brief: "Exactly these elements, in any order; of a mapping, exactly these fields.",
        long: "Of a list, as often as they are written. Of a mapping, what is expected of each field holds, and there is no field \
               that is not named, down to where a value is expected as such: so that `{ same_as: host }` stands for a whole \
               field. `others` stands for the fields that are not named.",
        example: "groups: { exactly: [10, 0] }",
        holds: Sample { value: "[0, 10]", other: "" },
        fails: Sample { value: "[0, 10, 10]", other: "" },
    },
    Matcher {
        name: "others",
        applies: fields,
        shape: Shape::NestedOthers,
        judge: whole::others,
        brief: "The expectation holds of every field that is not named beside it.",
        long: "Of a record or a map. There must be at least one such field: else it says nothing, and fails.",
        example: "addresses: { lo: [127.0.0.1/8], others: empty }",
        holds: Sample { value: "{\"lo\": [\"127.0.0.1/8\"], \"eth0\": []}", other: "" },
        fails: Sample { value: "{\"lo\": [\"127.0.0.1/8\"], \"eth0\": [\"192.0.2.1/24\"]}", other: "" },
    },
    Matcher {
        name: "has_key",
        applies: keyed,
        shape: Shape::Text,
        judge: lists::has_key,
        brief: "The map has this key.",
        long: "Whatever its value.",
        example: "env: { has_key: PATH }",
        holds: Sample { value: "{\"PATH\": \"/bin\"}", other: "" },
        fails: Sample { value: "{\"path\": \"/bin\"}", other: "" },
    },
    Matcher {
        name: "json",
        applies: plain_text,
        shape: Shape::Pointers,
        judge: texts::json,
        brief: "The text is JSON, and the expectations hold of what the JSON pointers (RFC 6901) find in it.",
        long: "The empty pointer is the whole. A pointer that finds nothing is a failure.",
        example: "files: { /config.json: { json: { /ociVersion: { starts_with: \"1.\" } } } }",
        holds: Sample { value: "\"{\\\"ociVersion\\\": \\\"1.2.0\\\"}\"", other: "" },
        fails: Sample { value: "\"ociVersion: 1.2.0\"", other: "" },
    },
    Matcher {
        name: "version",
        applies: plain_text,
        shape: Shape::Version,
        judge: texts::version,
        brief: "The version compares so with this one, number by number.",
        long: "`=`, `>=`, `<=`, `>` or `<`, and a dotted version. What follows the numbers, as in `6.1.0-rc3`, does not count.",
        example: "uname: { release: { version: \">= 3.8\" } }",
        holds: Sample { value: "{\"release\": \"3.10.0-rc1\"}", other: "" },
        fails: Sample { value: "{\"release\": \"3.7\"}", other: "" },
    },
    Matcher {
        name: "same_as",
        applies: fact,
        shape: Shape::Views,
        judge: isolation::same_as,
        brief: "The same as from this other viewpoint.",
        long: "`host`, `outside`, `inside`, the name of another sandbox, or a list: then the same as from each.",
        example: "uname: { release: { same_as: host } }",
        holds: Sample { value: "{\"release\": \"6.1.0\"}", other: "{\"release\": \"6.1.0\"}" },
        fails: Sample { value: "{\"release\": \"6.1.0\"}", other: "{\"release\": \"5.4.0\"}" },
    },
    Matcher {
        name: "differs_from",
        applies: fact,
        shape: Shape::Views,
        judge: isolation::differs_from,
        brief: "Not the same as from this other viewpoint.",
        long: "`host`, `outside`, `inside`, the name of another sandbox, or a list: then different from each.",
        example: "namespaces: { pid: { differs_from: host } }",
        holds: Sample { value: "{\"pid\": \"pid:[2]\"}", other: "{\"pid\": \"pid:[1]\"}" },
        fails: Sample { value: "{\"pid\": \"pid:[1]\"}", other: "{\"pid\": \"pid:[1]\"}" },
    },
    Matcher {
        name: "unchanged",
        applies: fact,
        shape: Shape::Nothing,
        judge: isolation::unchanged,
        brief: "As it was when the claim began.",
        long: "Of a text it is written `{ unchanged: true }`, since a bare text means exactly this text.",
        example: "hostname: { unchanged: true }",
        holds: Sample { value: "\"box\"", other: "\"box\"" },
        fails: Sample { value: "\"other\"", other: "\"box\"" },
    },
    Matcher {
        name: "denied",
        applies: attempt,
        shape: Shape::Refusal,
        judge: isolation::denied,
        brief: "Really tried, and refused by policy; the same attempt without the restriction succeeds.",
        long: "A refusal is EPERM, EACCES, EROFS, ENOSYS or death by SIGSYS, and nothing else. Where the control is refused \
               as well the claim is broken.",
        example: "attempts: { mount: { tmpfs: denied } }",
        holds: Sample { value: "{\"failed\": \"EPERM\"}", other: "\"allowed\"" },
        fails: Sample { value: "{\"failed\": \"ENOENT\"}", other: "\"allowed\"" },
    },
    Matcher {
        name: "allowed",
        applies: attempt,
        shape: Shape::Nothing,
        judge: isolation::allowed,
        brief: "Really tried, and succeeded.",
        long: "In the process itself.",
        example: "attempts: { open: { /proc/self/status: allowed } }",
        holds: Sample { value: "\"allowed\"", other: "" },
        fails: Sample { value: "{\"failed\": \"EPERM\"}", other: "" },
    },
    Matcher {
        name: "fails",
        applies: attempt,
        shape: Shape::Errno,
        judge: isolation::fails,
        brief: "Really tried, and failed with exactly this errno.",
        long: "For mechanics; for policy there is `denied`, which has a control.",
        example: "attempts: { open: { /no/such/file: { fails: ENOENT } } }",
        holds: Sample { value: "{\"failed\": \"ENOENT\"}", other: "" },
        fails: Sample { value: "{\"failed\": \"EACCES\"}", other: "" },
    },
    Matcher {
        name: "masked",
        applies: path,
        shape: Shape::Nothing,
        judge: paths::masked,
        brief: "Hidden: there is something in its place that shows nothing. The host must have it.",
        long: "/dev/null in the place of a file, or an empty read-only tmpfs over a directory: OCI config-linux.md, maskedPaths.",
        example: "paths: { /proc/kcore: masked }",
        holds: Sample {
            value: "{\"exists\": true, \"mask\": \"null_device\"}",
            other: "{\"exists\": true, \"mask\": \"none\"}",
        },
        fails: Sample {
            value: "{\"exists\": true, \"mask\": \"none\"}",
            other: "{\"exists\": true, \"mask\": \"none\"}",
        },
    },
    Matcher {
        name: "read_only",
        applies: path,
        shape: Shape::Nothing,
        judge: paths::read_only,
        brief: "It is there, on a mount that cannot be written to.",
        long: "Whoever asks: it is the mount that refuses, with EROFS, not the permissions.",
        example: "paths: { /proc/sys: read_only }",
        holds: Sample { value: "{\"exists\": true, \"mounted_read_only\": true}", other: "" },
        fails: Sample { value: "{\"exists\": true, \"mounted_read_only\": false}", other: "" },
    },
    Matcher {
        name: "absent",
        applies: path,
        shape: Shape::Nothing,
        judge: paths::absent,
        brief: "It is not there. The host must have it.",
        long: "Where the host lacks it as well the claim is not measured: its absence says nothing of the sandbox.",
        example: "paths: { /root/.ssh: absent }",
        holds: Sample {
            value: "{\"exists\": false, \"mask\": \"none\"}",
            other: "{\"exists\": true, \"mask\": \"none\"}",
        },
        fails: Sample {
            value: "{\"exists\": true, \"mask\": \"none\"}",
            other: "{\"exists\": true, \"mask\": \"none\"}",
        },
    },
    Matcher {
        name: "readable",
        applies: path,
        shape: Shape::Nothing,
        judge: paths::readable,
        brief: "It is there, and the process can read it.",
        long: "As access(2) says of the process's own credentials.",
        example: "paths: { /etc/passwd: readable }",
        holds: Sample { value: "{\"exists\": true, \"can_read\": true}", other: "" },
        fails: Sample { value: "{\"exists\": false}", other: "" },
    },
    Matcher {
        name: "writable",
        applies: path,
        shape: Shape::Nothing,
        judge: paths::writable,
        brief: "It is there, and the process can write to it.",
        long: "As access(2) says of the process's own credentials.",
        example: "paths: { /tmp: writable }",
        holds: Sample { value: "{\"exists\": true, \"can_write\": true}", other: "" },
        fails: Sample { value: "{\"exists\": true, \"can_write\": false}", other: "" },
    },
];

fn anything(_: &Kind) -> bool {
    true
}

/// All but the outcome of an attempt, which is no state that could stay as it was.
fn fact(kind: &Kind) -> bool {
    !attempt(kind)
}

fn scalar(kind: &Kind) -> bool {
    textual(kind) || numeric(kind)
}

fn numeric(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Limit | Kind::Any)
}

fn textual(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Word(_) | Kind::Origin | Kind::Mode | Kind::Any)
}

fn plain_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Any)
}

fn list(kind: &Kind) -> bool {
    matches!(kind, Kind::List(_) | Kind::Set(_) | Kind::Any)
}

fn exact(kind: &Kind) -> bool {
    list(kind) || fields(kind)
}

/// What has fields by name, all of which can be known.
fn fields(kind: &Kind) -> bool {
    matches!(kind, Kind::Record(_) | Kind::Map(_))
}

fn keyed(kind: &Kind) -> bool {
    matches!(kind, Kind::Map(_) | Kind::Any)
}

fn collection(kind: &Kind) -> bool {
    list(kind) || keyed(kind)
}

fn text_or_list(kind: &Kind) -> bool {
    textual(kind) || list(kind)
}

fn text_or_collection(kind: &Kind) -> bool {
    textual(kind) || collection(kind)
}

fn path(kind: &Kind) -> bool {
    matches!(kind, Kind::Path(_))
}

fn attempt(kind: &Kind) -> bool {
    matches!(kind, Kind::Attempt)
}
