//! The environment and the command line that `/proc/PID/environ` and `/proc/PID/cmdline` show: they are the memory in which
//! execve(2) put them, and a clone has a copy of its parent's.
#![expect(unsafe_code, reason = "the kernel reads these strings from fixed addresses of the process")]

use std::fs;

use nix::errno::Errno;

use super::{Failure, Result};

/// Overwrites them in place: a sandbox must not be able to read the runner's environment from its own first process.
/// The name is cut to the room that there is; an environment that is longer than the room that the process was started
/// with fails with E2BIG.
pub fn overwrite(name: &str, environment: &[String]) -> Result<()> {
    let [arg_start, arg_end, env_start, env_end] = places()?;
    let environment: Vec<u8> = environment.iter().flat_map(|entry| entry.bytes().chain([0])).collect();
    let room = env_end.saturating_sub(env_start);
    if environment.len() > room {
        return Err(Failure::new("overwrite environ", &[&environment.len(), &room], Errno::E2BIG));
    }
    // SAFETY: the kernel says that these are this process's own strings, on its stack, readable and writable.
    unsafe { fill(arg_start, arg_end, &title(name, arg_end.saturating_sub(arg_start))) };
    // SAFETY: likewise.
    unsafe { fill(env_start, env_end, &environment) };
    point_at(env_start, &environment);
    Ok(())
}

/// The name in that much room. Where the last byte is not 0, the kernel shows the text up to the first 0, as setproctitle(3) has it, and
/// otherwise an empty word for every byte that is left (`get_mm_cmdline` in fs/proc/base.c). Only without room for a 0 before it would
/// the environment follow.
fn title(name: &str, room: usize) -> Vec<u8> {
    let mut title = name.as_bytes()[..name.len().min(room.saturating_sub(1))].to_vec();
    title.resize(room, 0);
    if name.len() + 1 < room {
        title[room - 1] = b' ';
    }
    title
}

/// libc has pointers to the strings that were there; from now on it has them to the new ones.
fn point_at(start: usize, environment: &[u8]) {
    let entries = environment.split_inclusive(|byte| *byte == 0).scan(start, |next, entry| {
        let address = *next;
        *next += entry.len();
        Some(address as *mut libc::c_char)
    });
    let pointers: Vec<*mut libc::c_char> = entries.chain([std::ptr::null_mut()]).collect();
    // It must live as long as the process.
    let pointers = pointers.leak().as_mut_ptr();
    // SAFETY: the process has a single thread, and the pointers end with a null.
    unsafe { environ = pointers };
}

unsafe extern "C" {
    /// environ(7).
    static mut environ: *mut *mut libc::c_char;
}

/// # Safety
/// `start..end` must be writable memory of this process that no reference points into.
unsafe fn fill(start: usize, end: usize, bytes: &[u8]) {
    let length = end.saturating_sub(start);
    // SAFETY: the caller's promise.
    unsafe { std::ptr::write_bytes(start as *mut u8, 0, length) };
    // SAFETY: the same, and `bytes` is no longer than the room.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start as *mut u8, bytes.len().min(length)) };
}

/// `arg_start`, `arg_end`, `env_start`, `env_end`: fields 48 to 51 of /proc/PID/stat (proc(5)).
fn places() -> Result<[usize; 4]> {
    let text = fs::read_to_string("/proc/self/stat")
        .map_err(|error| Failure::from_io("read", &[&"/proc/self/stat"], &error))?;
    // The second field may contain spaces and parentheses; the third follows the last parenthesis.
    let fields = text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().skip(45).take(4);
    let places: Vec<usize> = fields.filter_map(|field| field.parse().ok()).collect();
    let unreadable = || Failure::new("read", &[&"/proc/self/stat"], Errno::EINVAL);
    let places: [usize; 4] = places.try_into().map_err(|_| unreadable())?;
    if places.contains(&0) { Err(unreadable()) } else { Ok(places) }
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_title_ends_before_the_last_byte() {
        let check = |name: &str, room: usize, expected: &[u8]| {
            assert_eq!(title(name, room), expected, "{name} in {room}");
        };
        check("name", 8, b"name\0\0\0 ");
        check("name", 6, b"name\0 ");
        check("name", 5, b"name\0");
        check("name", 3, b"na\0");
        check("name", 0, b"");
    }
}
