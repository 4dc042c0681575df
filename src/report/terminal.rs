//! How wide the terminal is.

/// The columns of the terminal on standard output, between 80 and 120, which is as far as eyes like to go along a line; 100 where it
/// is none.
pub(crate) fn width() -> usize {
    let told = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if told == 0 { 100 } else { told.clamp(80, 120) }
}
