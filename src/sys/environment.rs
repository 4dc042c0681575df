//! The environment and the command line that `/proc/PID/environ` and `/proc/PID/cmdline` show: they are the memory in which
//! execve(2) put them, and a clone has a copy of its parent's.
#![expect(unsafe_code, reason = "the kernel reads these strings from fixed addresses of the process")]

use std::fs;

use nix::errno::Errno;

use super::{Failure, Result};

/// Puts other strings in their place: a sandbox must not be able to read the runner's environment from its own first process.
/// The name is cut to the room that there is. An environment that needs more room than the process was started with is put
/// elsewhere, and the kernel told where.
pub fn overwrite(name: &str, environment: &[String]) -> Result<()> {
    let layout = Layout::read()?;
    let environment: Vec<u8> = environment.iter().flat_map(|entry| entry.bytes().chain([0])).collect();
    let room = layout.arg_end.saturating_sub(layout.arg_start);
    // SAFETY: the kernel says that these are this process's own strings, on its stack, readable and writable.
    unsafe { fill(layout.arg_start, layout.arg_end, &title(name, room)) };
    let fits = environment.len() <= layout.env_end.saturating_sub(layout.env_start);
    // SAFETY: likewise.
    unsafe { fill(layout.env_start, layout.env_end, if fits { &environment } else { &[] }) };
    let start = if fits { layout.env_start } else { layout.move_environment(&environment)? };
    point_at(start, &environment);
    Ok(())
}

/// Sets a variable in the environment that this process hands to the programs it starts.
///
/// The process must have a single thread.
pub fn set(name: &str, value: &str) {
    // SAFETY: with a single thread nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
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

/// Where the parts of this process's memory are: `struct prctl_mm_map` of `PR_SET_MM` (`PR_SET_MM(2const)`, include/uapi/linux/prctl.h).
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct Layout {
    start_code: usize,
    end_code: usize,
    start_data: usize,
    end_data: usize,
    start_brk: usize,
    brk: usize,
    start_stack: usize,
    arg_start: usize,
    arg_end: usize,
    env_start: usize,
    env_end: usize,
    auxv: usize,
    auxv_size: u32,
    exe_fd: u32,
}

impl Layout {
    /// From /proc/self/stat (proc(5)).
    fn read() -> Result<Self> {
        let path = "/proc/self/stat";
        let text = fs::read_to_string(path).map_err(|error| Failure::from_io("read", &[&path], &error))?;
        // The second field may contain spaces and parentheses; the third follows the last parenthesis.
        let fields: Vec<&str> =
            text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
        let field = |number: usize| {
            let value =
                fields.get(number - 3).and_then(|field| field.parse().ok()).filter(|value| *value != 0);
            value.ok_or_else(|| Failure::new("read", &[&path, &number], Errno::EINVAL))
        };
        // SAFETY: with 0 sbrk(3) only says where the end of the heap is.
        let brk = unsafe { libc::sbrk(0) } as usize;
        Ok(Self {
            start_code: field(26)?,
            end_code: field(27)?,
            start_stack: field(28)?,
            start_data: field(45)?,
            end_data: field(46)?,
            start_brk: field(47)?,
            brk,
            arg_start: field(48)?,
            arg_end: field(49)?,
            env_start: field(50)?,
            env_end: field(51)?,
            auxv: 0,
            auxv_size: 0,
            exe_fd: u32::MAX,
        })
    }

    /// Puts the environment into memory of its own, and tells the kernel; its address.
    fn move_environment(self, environment: &[u8]) -> Result<usize> {
        // It must live as long as the process.
        let place = environment.to_vec().leak();
        let env_start = place.as_ptr() as usize;
        let layout = Self { env_start, env_end: env_start + place.len(), ..self };
        // SAFETY: `layout` is a valid `struct prctl_mm_map` of the size given, and only the environment's place differs from what
        // the kernel has.
        let result = unsafe {
            libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, &raw const layout, size_of::<Self>(), 0)
        };
        let failed = || Failure::new("prctl", &[&"PR_SET_MM", &"PR_SET_MM_MAP"], Errno::last());
        if result == 0 { Ok(env_start) } else { Err(failed()) }
    }
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
