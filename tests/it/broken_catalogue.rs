//! The causes of the claims of pid, mount, proc, sys, device, fd and lifecycle, removed by changes to their specs.

use super::broken_on_purpose::Breakage;

const HARDENED_NO_PID: (&str, &str) =
    ("profile: hardened", "profile: hardened\n  new: [user, mount, net, uts, ipc, cgroup]");

const EACH_NO_PID: (&str, &str) =
    ("profile: ${profile}", "profile: ${profile}\n  new: [user, mount, net, uts, ipc, cgroup]");

pub(super) const CATALOGUE: &[Breakage] = &[
    Breakage {
        spec: "pid/numbers-of-its-own.yaml",
        changes: &[EACH_NO_PID],
        red: &[
            "has a small number there, and a parent that it cannot see",
            "is seen by the first process",
            "can reach the first process by its number, and nobody by the host's",
        ],
    },
    Breakage {
        spec: "mount/root.yaml",
        changes: &[(
            "profile: hardened",
            "profile: hardened\n  root: writable\n  capabilities: { drop: [] }\n  seccomp: none",
        )],
        red: &["is read-only wherever programs or their settings lie", "cannot be made writable again"],
    },
    Breakage {
        spec: "mount/without-the-right.yaml",
        changes: &[("profile: hardened", "profile: hardened\n  capabilities: { drop: [] }")],
        red: &[
            "refuses every kind of file system",
            "refuses to show a directory at another place",
            "refuses each call of the newer interface",
            "cannot take a mask off again",
            "cannot take off what makes /proc/sys read-only",
            "cannot open a file by its handle",
        ],
    },
    Breakage {
        spec: "mount/without-the-right.yaml",
        changes: &[(
            "capabilities: { drop: [] }",
            "capabilities: { drop: [] }\n  new: [pid, mount, net, uts, ipc, cgroup, time]",
        )],
        red: &["refuses what shows the whole machine"],
    },
    Breakage {
        spec: "proc/masked.yaml",
        changes: &[("profile: hardened", "profile: hardened\n  mask: []")],
        red: &["is no fuller for a process that joins"],
    },
    Breakage {
        spec: "proc/read-only.yaml",
        changes: &[("cgroup, time]", "cgroup, time]\n  read_only: []")],
        red: &[
            "names no program that the kernel would start on the host",
            "lowers no guard of the kernel's",
            "cannot stop or starve the machine",
            "cannot set a parameter even to what it is",
        ],
    },
    Breakage {
        spec: "proc/read-only.yaml",
        changes: &[("read_only: []", "read_only: []\n  new: [mount, pid, net, uts, ipc, cgroup, time]")],
        red: &[
            "are not its own",
            "are not its own even to be set to what they are",
            "show it no more of the kernel than anybody",
        ],
    },
    Breakage {
        spec: "sys/read-only.yaml",
        changes: &[("cgroup, time]", "cgroup, time]\n  mounts: [{ target: /sys, type: sysfs }]")],
        red: &[
            "suspends nothing, and unplugs no CPU and no memory",
            "starts no program on the host by an event",
            "changes nothing of how the kernel works",
        ],
    },
    Breakage {
        spec: "device/making.yaml",
        changes: &[(
            "capabilities: { drop: [] }",
            "capabilities: { drop: [] }\n  new: [mount, pid, net, uts, ipc, cgroup, time]",
        )],
        red: &["do not lead to the host's memory, disk or machines", "cannot even be made"],
    },
    Breakage {
        spec: "device/making.yaml",
        changes: &[("profile: hardened", "profile: hardened\n  capabilities: { keep: [mknod] }")],
        red: &[
            "cannot be made without the capability",
            "cannot be opened where they lie in the image or in what one can write to",
        ],
    },
    Breakage {
        spec: "fd/inherited.yaml",
        changes: &[
            EACH_NO_PID,
            ("\"ls /proc/self/fd | wc -l\"", "\"exec 7</; ls /proc/self/fd | wc -l\""),
            ("run: ls /proc/self/fd", "run: exec 7</; ls /proc/self/fd"),
        ],
        red: &[
            "are three in a process that joins",
            "are three in a program that is run",
            "are three in a program that is the first process",
        ],
    },
    Breakage {
        spec: "lifecycle/exit.yaml",
        changes: &[
            HARDENED_NO_PID,
            EACH_NO_PID,
            ("signal: SIGKILL }\n      - within: 5s", "signal: SIGCONT }\n      - within: 100ms"),
            ("within: 5s\n        inside", "within: 100ms\n        inside"),
        ],
        red: &[
            "is no process in the host's table",
            "is no orphan inside either",
            "is no orphan that lost its parent twice",
            "is nothing of a process that has joined, where its launcher ends first",
            "do not end it",
            "is in all of its namespaces",
            "is a leader of its own session, without a terminal",
        ],
    },
    Breakage {
        spec: "lifecycle/exit.yaml",
        changes: &[(
            "profile: hardened",
            "profile: hardened\n  capabilities: { drop: [] }\n  seccomp: none\n  mask: []\n  limits: { nofile: 64 }",
        )],
        red: &[
            "has no capability either",
            "has the filter, and can gain no privileges",
            "has the same root, masks and all",
            "is held to the same limits",
        ],
    },
];
