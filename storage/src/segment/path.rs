//! Where the files of a segment lie in the bucket (and, by the same paths, in the staging folder).

use crate::{
    id::{SegmentId, TenantId},
    signal::{Signal, Table},
    time::{HOUR_NANOS, Nanos, TimeRange},
};

/// The slice of event time that a segment covers when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The hour that starts here.
    Hour(Nanos),
    /// The day that starts here: what a compaction put together from its hours.
    Day(Nanos),
    /// Rows of many hours: what lay beyond the limit on open hours.
    Late,
}

/// The path of an object of a segment.
pub fn object(
    tenant: &TenantId,
    signal: Signal,
    window: Window,
    segment: SegmentId,
    table: Table,
) -> String {
    format!(
        "{}/{segment}.{table}.parquet",
        folder(tenant, signal, window)
    )
}

/// The path of the index sidecar of a segment.
pub fn index(tenant: &TenantId, signal: Signal, window: Window, segment: SegmentId) -> String {
    format!("{}/{segment}.idx", folder(tenant, signal, window))
}

/// The folder that holds the files of a tenant, signal and window.
pub fn folder(tenant: &TenantId, signal: Signal, window: Window) -> String {
    let prefix = format!("tenant={tenant}/signal={signal}");
    match window {
        Window::Late => format!("{prefix}/date=late/hour=late"),
        Window::Hour(start) => {
            let hour = start.0.div_euclid(HOUR_NANOS).rem_euclid(24);
            format!("{prefix}/date={}/hour={hour:02}", date(start))
        }
        Window::Day(start) => format!("{prefix}/date={}/hour=all", date(start)),
    }
}

impl Window {
    /// The smallest window that holds these times.
    pub fn of(time: TimeRange) -> Window {
        if time.min.hour() == time.max.hour() {
            Window::Hour(time.min.hour())
        } else if day(time.min) == day(time.max) {
            Window::Day(Nanos(day(time.min).saturating_mul(DAY_NANOS)))
        } else {
            Window::Late
        }
    }
}

const DAY_NANOS: i64 = 24 * HOUR_NANOS;

/// Days after 1970-01-01.
fn day(time: Nanos) -> i64 {
    time.0.div_euclid(DAY_NANOS)
}

/// `YYYY-MM-DD`.
fn date(time: Nanos) -> String {
    let (year, month, day) = civil(day(time));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counts in eras of 400 years (146,097 days) from 1 March of the year 0, so that the leap day ends a year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March, in the pattern of 153 days for five months.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_tenant_signal_and_hour() {
        let segment = "01arz3ndektsv4rrffq69g5fav".parse().expect("a ULID");
        let tenant = TenantId::default_tenant();
        let path = |nanos| {
            object(
                &tenant,
                Signal::Spans,
                Window::Hour(Nanos(nanos).hour()),
                segment,
                Table::SpanEvents,
            )
        };
        let expected = |hour: &str| {
            format!(
                "tenant=default/signal=spans/{hour}/01arz3ndektsv4rrffq69g5fav.span_events.parquet"
            )
        };
        assert_eq!(path(0), expected("date=1970-01-01/hour=00"));
        assert_eq!(path(-1), expected("date=1969-12-31/hour=23"));
        assert_eq!(
            path(1_709_215_199_999_999_999),
            expected("date=2024-02-29/hour=13")
        );
        assert_eq!(
            path(1_735_689_599_000_000_000),
            expected("date=2024-12-31/hour=23")
        );
        assert_eq!(path(i64::MAX), expected("date=2262-04-11/hour=23"));
        assert_eq!(path(i64::MIN), expected("date=1677-09-21/hour=00"));
        let day = Window::Day(Nanos(1_709_164_800_000_000_000));
        assert_eq!(
            folder(&tenant, Signal::Logs, day),
            "tenant=default/signal=logs/date=2024-02-29/hour=all"
        );
        let window = |min, max| {
            Window::of(TimeRange {
                min: Nanos(min),
                max: Nanos(max),
            })
        };
        assert_eq!(window(0, HOUR_NANOS - 1), Window::Hour(Nanos(0)));
        assert_eq!(window(-1, -1), Window::Hour(Nanos(-HOUR_NANOS)));
        assert_eq!(window(1, HOUR_NANOS), Window::Day(Nanos(0)));
        assert_eq!(window(-1, 0), Window::Late);
        assert_eq!(window(i64::MIN, i64::MAX), Window::Late);
        assert_eq!(
            index(&tenant, Signal::Logs, Window::Late, segment),
            "tenant=default/signal=logs/date=late/hour=late/01arz3ndektsv4rrffq69g5fav.idx"
        );
    }
}
