//! Bait: things of the host's that a sandbox must not reach, laid out under names of this run, so that a leak is something that can be
//! found. The nursery holds them, and takes them in when it ends.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_unlink};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::Mode;
use sha2::{Digest, Sha256};

use super::run_directory::RunDirectory;
use crate::fact::Bait;
use crate::sys::{Result, ipc, keyring};

/// Bait that is out.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) names: Bait,
    _tcp: Option<TcpListener>,
    _abstract: Option<OwnedFd>,
}

impl Laid {
    /// Lays out all that this kernel and user can: what is missing shows where the host itself looks for it.
    ///
    /// The caller's session keyring becomes a new one, with a key in it.
    pub(super) fn lay(run: &RunDirectory) -> Result<Self> {
        run.lay_file()?;
        let name = run.bait_name();
        let key = key_of(&name);
        for make in [ipc::make_memory, ipc::make_queue, ipc::make_semaphores] {
            let _ = make(key);
        }
        lay_keys(&name);
        lay_message_queue(&name);
        create(&shared_memory(&name));
        let in_root = Path::new("/").join(&name);
        let file = if create(&in_root) { in_root } else { run.bait_file() };
        let tcp = TcpListener::bind("127.0.0.1:0").ok();
        let port = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok()).map_or(0, |address| address.port());
        let unix = listen_abstract(&name).ok();
        Ok(Self { names: Bait { name, file, port, key }, _tcp: tcp, _abstract: unix })
    }
}

/// Takes in what outlives the processes that made it. It is known by its name alone, so that a later run can do it for one that was killed.
pub(super) fn remove(name: &str) {
    let key = key_of(name);
    // Each call fails where the thing is not there.
    for remove in [ipc::remove_memory, ipc::remove_queue, ipc::remove_semaphores] {
        let _ = remove(key);
    }
    if let Ok(named) = CString::new(name)
        && let Ok(found) = keyring::search(keyring::USER, &named)
    {
        let _ = keyring::unlink(keyring::USER, found);
    }
    let _ = mq_unlink(format!("/{name}").as_str());
    let _ = std::fs::remove_file(shared_memory(name));
    let _ = std::fs::remove_file(Path::new("/").join(name));
}

/// A number that no other run's name gives: a positive one, since 0 is `IPC_PRIVATE` (shmget(2)).
fn key_of(name: &str) -> i32 {
    let digest = Sha256::digest(name);
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    i32::from_le_bytes(bytes) & i32::MAX | 1
}

fn shared_memory(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(name)
}

fn lay_keys(name: &str) {
    let Ok(named) = CString::new(name) else { return };
    let joined = keyring::join_new_session();
    let _ = joined.and_then(|()| keyring::add(keyring::SESSION, &named, b"secret"));
    let _ = keyring::add(keyring::USER, &named, b"secret");
}

/// Readable for everyone: what keeps a sandbox from it must not be its permissions.
fn lay_message_queue(name: &str) {
    let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR;
    // Without attributes nix hands over no mode either.
    let attributes = MqAttr::new(0, 1, 64, 0);
    let mode = Mode::from_bits_truncate(0o644);
    let made = mq_open(format!("/{name}").as_str(), flags, mode, Some(&attributes));
    // It stays when the descriptor is closed (mq_overview(7)).
    let _ = made.and_then(nix::mqueue::mq_close);
}

fn create(path: &Path) -> bool {
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path).is_ok()
}

/// Nobody accepts: a connection counts once it is in the queue.
fn listen_abstract(name: &str) -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
    listen(&socket, Backlog::MAXCONN)?;
    Ok(socket)
}
