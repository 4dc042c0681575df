//! The day and the time, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_OF_A_DAY: u64 = 86_400;

/// Today, as `2027-01-31`.
pub fn today() -> String {
    day(seconds() / SECONDS_OF_A_DAY)
}

/// Now, as `2027-01-31 23:59 UTC`.
pub fn now() -> String {
    let seconds = seconds();
    let minutes = seconds % SECONDS_OF_A_DAY / 60;
    format!("{} {:02}:{:02} UTC", day(seconds / SECONDS_OF_A_DAY), minutes / 60, minutes % 60)
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Days since 1970 to a civil date, by Howard Hinnant's algorithm (<http://howardhinnant.github.io/date_algorithms.html>).
fn day(since_epoch: u64) -> String {
    let days = i64::try_from(since_epoch).unwrap_or(0) + 719_468;
    let era = days.div_euclid(146_097);
    let days = days - era * 146_097;
    let year_of_era = (days - days / 1460 + days / 36_524 - days / 146_096) / 365;
    let day_of_year = days - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_are_those_of_the_calendar() {
        let check = |since_epoch, expected| assert_eq!(day(since_epoch), expected);
        check(0, "1970-01-01");
        check(11_016, "2000-02-29");
        check(20_454, "2026-01-01");
        check(47_540, "2100-02-28");
        check(47_541, "2100-03-01");
    }
}
