//! Network namespaces: loopback, sockets by name and port, cookies, sysctls, sysfs.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrLike, UnixAddr, bind, connect, listen,
    socket,
};

use super::Experiment;
use super::child::{start, within};
use super::ground::{become_root, directory, own, own_scratch};
use super::pid::waits;
use super::pidfd::{failed, number};
use super::seen::{Prepares, Seen, Trouble, control, gave, tried};
use crate::sys::bring_loopback_up;
use crate::sys::calls::network_cookie;

const NEWNET: i32 = libc::CLONE_NEWNET;

pub(super) const ALL: &[Experiment] = &[
    Experiment::of(
        "loopback",
        &["down", "up"],
        "connect() to a closed port of 127.0.0.1 in a new network namespace",
        loopback,
    ),
    Experiment::of(
        "abstract_connect",
        &["same", "other"],
        "connect() to an abstract socket of one's own network namespace, or of another",
        abstract_connect,
    ),
    Experiment::of(
        "abstract_twice",
        &["same", "other"],
        "bind() of an abstract name that is taken, in the same network namespace or in another",
        abstract_twice,
    ),
    Experiment::plain(
        "path_connect",
        "connect() to a socket by its path, from another network namespace",
        path_connect,
    ),
    Experiment::of(
        "port_twice",
        &["same", "other"],
        "bind() of a TCP port that is taken, in the same network namespace or in another",
        port_twice,
    ),
    Experiment::plain(
        "port_connect_other",
        "connect() to a port on which a process of another network namespace listens",
        port_connect_other,
    ),
    Experiment::of("cookie", &["same", "other", "zero"], "SO_NETNS_COOKIE of two sockets", cookie),
    Experiment::plain(
        "socket_stays",
        "SO_NETNS_COOKIE of a socket, after its process has entered another network namespace",
        socket_stays,
    ),
    Experiment::plain(
        "interfaces_of_new",
        "the interfaces that /sys/class/net shows, mounted in a new network namespace",
        interfaces_of_new,
    ),
    Experiment::plain(
        "net_of_proc",
        "/proc/self/net/unix after setns() into another network namespace: whether it has the socket of the former",
        net_of_proc,
    ),
    Experiment::plain(
        "net_sysctl",
        "net.ipv4.ip_forward set in a network namespace: what it is there and outside",
        net_sysctl,
    ),
    Experiment::plain(
        "core_sysctl",
        "write() of net.core.rmem_max, which is the machine's, in a network namespace of one's own",
        core_sysctl,
    ),
    Experiment::of(
        "low_port",
        &["own", "above"],
        "bind() of port 80 by root of a user namespace, in a network namespace of its own or in that above",
        low_port,
    ),
];

fn stream() -> Result<OwnedFd, Trouble> {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).prepares("socket(AF_INET)")
}

fn local() -> Result<OwnedFd, Trouble> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).prepares("socket(AF_UNIX)")
}

fn listening(socket: &OwnedFd, address: &dyn SockaddrLike) -> Result<(), Trouble> {
    bind(socket.as_raw_fd(), address).prepares("bind()")?;
    listen(socket, Backlog::new(1).prepares("backlog")?).prepares("listen()")
}

fn port(number: u16) -> SockaddrIn {
    SockaddrIn::new(127, 0, 0, 1, number)
}

fn abstract_name() -> Result<UnixAddr, Trouble> {
    UnixAddr::new_abstract(b"airtight-experiment").prepares("an address")
}

fn up() -> Result<(), Trouble> {
    bring_loopback_up().map_err(|failure| Trouble::new(failure.to_string()))
}

fn loopback(state: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    if state == "up" {
        up()?;
    }
    tried(connect(stream()?.as_raw_fd(), &port(9)))
}

fn flags(place: &str) -> i32 {
    if place == "same" { 0 } else { NEWNET }
}

fn abstract_connect(place: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    let server = local()?;
    listening(&server, &abstract_name()?)?;
    failed(within(flags(place), || Ok(number(connect(local()?.as_raw_fd(), &abstract_name()?))))?)
}

fn abstract_twice(place: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    let server = local()?;
    listening(&server, &abstract_name()?)?;
    failed(within(flags(place), || Ok(number(bind(local()?.as_raw_fd(), &abstract_name()?))))?)
}

fn path_connect(_: &str) -> Seen {
    own_scratch()?;
    let server = local()?;
    let address = UnixAddr::new("socket").prepares("an address")?;
    listening(&server, &address)?;
    failed(within(NEWNET, || Ok(number(connect(local()?.as_raw_fd(), &address))))?)
}

fn port_twice(place: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    up()?;
    let server = stream()?;
    listening(&server, &port(4711))?;
    failed(within(flags(place), || {
        if place == "other" {
            up()?;
        }
        Ok(number(bind(stream()?.as_raw_fd(), &port(4711))))
    })?)
}

fn port_connect_other(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    up()?;
    let server = stream()?;
    listening(&server, &port(4711))?;
    let reach = || Ok(number(connect(stream()?.as_raw_fd(), &port(4711))));
    control(within(0, reach)? == 0, "from its own namespace it is reached")?;
    failed(within(NEWNET, || up().and_then(|()| reach()))?)
}

fn cookie_of(socket: &impl AsFd) -> Result<u64, Trouble> {
    network_cookie(socket).prepares("getsockopt(SO_NETNS_COOKIE)")
}

fn cookie(what: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    let own = cookie_of(&stream()?)?;
    if what == "zero" {
        return gave(if own == 0 { "zero" } else { "not zero" });
    }
    let other = within(flags(what), || cookie_of(&stream()?))?;
    gave(if own == other { "the same" } else { "another" })
}

fn socket_stays(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    let kept = stream()?;
    let before = cookie_of(&kept)?;
    own(CloneFlags::CLONE_NEWNET)?;
    control(cookie_of(&stream()?)? != before, "a new socket is in the new namespace")?;
    gave(if cookie_of(&kept)? == before { "stays" } else { "moves" })
}

fn interfaces_of_new(_: &str) -> Seen {
    own_scratch()?;
    own(CloneFlags::CLONE_NEWNET)?;
    directory("s")?;
    let flags = nix::mount::MsFlags::MS_NOSUID
        | nix::mount::MsFlags::MS_NODEV
        | nix::mount::MsFlags::MS_NOEXEC
        | nix::mount::MsFlags::MS_RDONLY;
    nix::mount::mount(Some("sysfs"), "s", Some("sysfs"), flags, None::<&str>).prepares("mount(sysfs)")?;
    let names = fs::read_dir("s/class/net").prepares("readdir(class/net)")?;
    let mut names: Vec<_> =
        names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // Some kernels give every namespace fallback tunnels of its own (net.core.fb_tunnels_only_for_init_net).
    names.retain(|name| !name.ends_with('0'));
    gave(names.join(" "))
}

fn net_of_proc(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    let server = local()?;
    listening(&server, &abstract_name()?)?;
    let shown = || {
        let text = fs::read_to_string("/proc/self/net/unix").prepares("read(/proc/self/net/unix)")?;
        Ok::<_, Trouble>(text.contains("airtight-experiment"))
    };
    control(shown()?, "in its own namespace it is shown")?;
    let other = start(NEWNET, waits)?;
    other.line.wait()?;
    setns(&other.pidfd, CloneFlags::CLONE_NEWNET).prepares("setns(net)")?;
    gave(if shown()? { "shown" } else { "not shown" })
}

fn net_sysctl(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    let read = || fs::read_to_string("/proc/sys/net/ipv4/ip_forward").prepares("read(ip_forward)");
    let turned = if read()?.trim() == "1" { "0" } else { "1" };
    let before = read()?;
    let inside = within(NEWNET, || {
        fs::write("/proc/sys/net/ipv4/ip_forward", turned).prepares("write(ip_forward)")?;
        read()
    })?;
    let taken = inside.trim() == turned;
    gave(match (taken, read()? == before) {
        (true, true) => "set inside, as it was outside",
        (true, false) => "set on both sides",
        _ => "not set",
    })
}

fn core_sysctl(_: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    control(
        fs::write("/proc/sys/net/core/somaxconn", "100").is_ok(),
        "one of the namespace's own can be written",
    )?;
    tried(fs::OpenOptions::new().write(true).open("/proc/sys/net/core/rmem_max"))
}

fn low_port(place: &str) -> Seen {
    become_root(CloneFlags::CLONE_NEWNET)?;
    up()?;
    let take = || Ok(number(bind(stream()?.as_raw_fd(), &port(80))));
    if place == "own" {
        return failed(take()?);
    }
    control(within(0, take)? == 0, "the owner of the network namespace can have it")?;
    failed(within(libc::CLONE_NEWUSER, take)?)
}
