//! Lookups that the kernel gives up while paths move.

/// How often it is tried: each time is a few microseconds, in which somebody must rename or mount something.
const TIMES: usize = 10_000;

/// A lookup by openat2(2) that is to stay below a directory. At `..` it fails with EAGAIN when anybody at all has renamed or mounted something
/// meanwhile, and is to be tried again.
pub fn settled<T, E: PartialEq>(again: &E, mut lookup: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    for _ in 1..TIMES {
        match lookup() {
            Err(error) if error == *again => std::thread::yield_now(),
            other => return other,
        }
    }
    lookup()
}

#[cfg(test)]
mod tests {
    use super::settled;

    #[test]
    fn only_what_is_to_be_tried_again_is() {
        let mut answers = [Err("again"), Err("again"), Ok(3), Ok(4)].into_iter();
        assert_eq!(settled(&"again", || answers.next().unwrap()), Ok(3));
        let mut answers = [Err("refused"), Ok(5)].into_iter();
        assert_eq!(settled(&"again", || answers.next().unwrap()), Err("refused"));
        assert_eq!(settled(&"again", || Err::<(), _>("again")), Err("again"), "it ends");
    }
}
