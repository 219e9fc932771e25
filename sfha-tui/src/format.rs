//! Numbers, sizes, ages and dates as people write them in either language.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::i18n::{Lang, current};
use crate::t;

/// `1,6` in French, `1.6` in English.
pub fn decimal(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match current() {
        Lang::French => text.replace('.', ","),
        Lang::English => text,
    }
}

/// Milliseconds, or seconds from one second on.
pub fn millis(ms: u64) -> String {
    if ms < 1000 {
        t!("format-millis", n = ms)
    } else {
        let seconds = ms as f64 / 1000.0;
        let digits = usize::from(ms < 60_000 && !ms.is_multiple_of(1000));
        t!("format-seconds", n = decimal(seconds, digits))
    }
}

/// A round-trip time: one decimal below ten milliseconds.
pub fn rtt(ms: f64) -> String {
    t!("format-millis", n = decimal(ms, usize::from(ms < 10.0)))
}

/// A share from 0 to 1, in percent.
pub fn share(share: f64) -> String {
    t!("format-percent", n = decimal(share * 100.0, usize::from(share > 0.0 && share < 0.1)))
}

/// An age or a duration, in its two largest units.
pub fn age(seconds: i64) -> String {
    let s = seconds.max(0);
    let (minutes, hours, days) = (s / 60, s / 3600, s / 86_400);
    match s {
        0..60 => t!("format-age-s", s = s),
        60..3600 => t!("format-age-m", m = minutes, s = format!("{:02}", s % 60)),
        3600..86_400 => t!("format-age-h", h = hours, m = format!("{:02}", minutes % 60)),
        _ => t!("format-age-d", d = days, h = format!("{:02}", hours % 24)),
    }
}

/// A quantity of bytes, in powers of 1000.
pub fn bytes(count: u64) -> String {
    match scaled(count as f64) {
        (n, 0) => t!("format-b", n = n),
        (n, 1) => t!("format-kb", n = n),
        (n, 2) => t!("format-mb", n = n),
        (n, 3) => t!("format-gb", n = n),
        (n, _) => t!("format-tb", n = n),
    }
}

/// Bytes a second.
pub fn rate(per_second: f64) -> String {
    match scaled(per_second) {
        (n, 0) => t!("format-b-s", n = n),
        (n, 1) => t!("format-kb-s", n = n),
        (n, 2) => t!("format-mb-s", n = n),
        (n, _) => t!("format-gb-s", n = n),
    }
}

/// Milliseconds without their unit, in at most four columns.
pub fn short_ms(ms: f64) -> String {
    if ms < 9.95 {
        decimal(ms, 1)
    } else if ms < 999.5 {
        decimal(ms, 0)
    } else {
        t!("format-short-seconds", n = decimal((ms / 1000.0).min(99.0), 0))
    }
}

fn scaled(mut value: f64) -> (String, u8) {
    let mut power = 0;
    // 999.5 and more would be written as four digits.
    while value >= 999.5 && power < 4 {
        value /= 1000.0;
        power += 1;
    }
    (decimal(value, usize::from(power > 0 && value < 99.95)), power)
}

/// A moment: the time if it is today, else date and time.
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    moment_as("%H:%M", at, now, zone)
}

/// The same to the second, for what follows quickly on each other.
pub fn moment_to_the_second(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    moment_as("%H:%M:%S", at, now, zone)
}

fn moment_as(time: &str, at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let time = at.strftime(time).to_string();
    if at.date() == now.date() {
        return time;
    }
    let date = match current() {
        Lang::French => at.strftime("%d/%m/%Y"),
        Lang::English => at.strftime("%Y-%m-%d"),
    };
    t!("format-date-time", date = date.to_string(), time = time)
}

/// When something ends: the moment and how long it is until then.
pub fn deadline(rfc3339: &str, now: Timestamp, zone: &TimeZone) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let left = at.as_second() - now.as_second();
    let moment = moment(at, now, zone);
    if left <= 0 { t!("format-past", at = moment) } else { t!("format-in", at = moment, left = age(left)) }
}

/// Seconds between an RFC 3339 time and now; `None` if it does not read.
pub fn seconds_since(rfc3339: &str, now: Timestamp) -> Option<i64> {
    Some(now.as_second() - rfc3339.parse::<Timestamp>().ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n;

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(bytes(0), "0\u{a0}o");
        assert_eq!(bytes(999), "999\u{a0}o");
        assert_eq!(bytes(1_234_567), "1,2\u{a0}Mo");
        assert_eq!(bytes(999_600), "1,0\u{a0}Mo");
        assert_eq!(rate(123_456.0), "123\u{a0}ko/s");
        assert_eq!(rtt(0.84), "0,8\u{a0}ms");
        assert_eq!(share(0.0), "0\u{202f}%");
        assert_eq!(share(0.0167), "1,7\u{202f}%");
        assert_eq!(share(1.0), "100\u{202f}%");
        assert_eq!(rtt(24.4), "24\u{a0}ms");
        assert_eq!(millis(1600), "1,6\u{a0}s");
        assert_eq!(millis(90_000), "90\u{a0}s");
        i18n::set(Lang::English);
        assert_eq!(bytes(1_234_567), "1.2 MB");
        assert_eq!(millis(1600), "1.6 s");
    }

    #[test]
    fn ages_keep_two_units() {
        assert_eq!(age(-3), "0\u{a0}s");
        assert_eq!(age(59), "59\u{a0}s");
        assert_eq!(age(65), "1\u{a0}min\u{a0}05");
        assert_eq!(age(3_600), "1\u{a0}h\u{a0}00");
        assert_eq!(age(90_000), "1\u{a0}j\u{a0}01\u{a0}h");
        i18n::set(Lang::English);
        assert_eq!(age(65), "1m 05s");
    }

    #[test]
    fn a_moment_of_another_day_has_its_date() {
        let now: Timestamp = "2026-11-22T18:00:00Z".parse().unwrap();
        let zone = TimeZone::UTC;
        assert_eq!(deadline("2026-11-22T18:30:00Z", now, &zone), "18:30, dans 30\u{a0}min\u{a0}00");
        assert_eq!(
            deadline("2026-11-23T18:30:00Z", now, &zone),
            "23/11/2026 18:30, dans 1\u{a0}j\u{a0}00\u{a0}h"
        );
        assert_eq!(deadline("2026-11-22T17:30:00Z", now, &zone), "17:30, dépassé");
    }
}
