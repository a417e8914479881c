//! Functions of a time: what the calendar says of it, in UTC.

/// The function of this name, of seconds since 1970.
pub(crate) fn find(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "day_of_month" => |seconds| date(seconds).day,
        "day_of_week" => |seconds| (days(seconds) + 4).rem_euclid(7) as f64,
        "day_of_year" => day_of_year,
        "days_in_month" => days_in_month,
        "hour" => |seconds| (whole(seconds).rem_euclid(i128::from(DAY)) / 3_600) as f64,
        "minute" => |seconds| (whole(seconds).rem_euclid(3_600) / 60) as f64,
        "month" => |seconds| date(seconds).month,
        "year" => |seconds| date(seconds).year as f64,
        _ => return None,
    })
}

const DAY: i64 = 86_400;

/// What Go counts seconds from: the first of March of the year -292,277,022,399, in seconds before 1970.
const GO_ABSOLUTE: u64 = 9_223_371_966_579_724_800 + (306 + 719_162) * DAY as u64;

struct Date {
    year: i64,
    month: f64,
    day: f64,
}

/// The seconds as Prometheus computes with them on amd64: what no i64 holds is the least one, and what is below
/// Go's first year comes back from above.
fn whole(seconds: f64) -> i128 {
    let least = i64::MIN as f64;
    let fits = (least..-least).contains(&seconds);
    let seconds = if fits { seconds as i64 } else { i64::MIN };
    i128::from(seconds.cast_unsigned().wrapping_add(GO_ABSOLUTE)) - i128::from(GO_ABSOLUTE)
}

fn days(seconds: f64) -> i64 {
    whole(seconds).div_euclid(i128::from(DAY)) as i64
}

/// The date of a day, by Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
fn date(seconds: f64) -> Date {
    let shifted = days(seconds) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    Date {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as f64,
        day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as f64,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: u8) -> f64 {
    match month {
        2 => 28.0 + f64::from(u8::from(is_leap(year))),
        4 | 6 | 9 | 11 => 30.0,
        _ => 31.0,
    }
}

fn days_in_month(seconds: f64) -> f64 {
    let date = date(seconds);
    month_days(date.year, date.month as u8)
}

fn day_of_year(seconds: f64) -> f64 {
    let date = date(seconds);
    let before: f64 = (1..date.month as u8)
        .map(|month| month_days(date.year, month))
        .sum();
    before + date.day
}
