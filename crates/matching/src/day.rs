//! Days as numbers, and back.

/// Days since 1970-01-01 of a date whose day and month are exchanged.
pub(crate) fn transposed_days_of(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    days_of(&format!("{year}-{day}-{month}"))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, of a date written `YYYY-MM-DD`.
///
/// After H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
pub(crate) fn days_of(text: &str) -> Option<i32> {
    let mut parts = text.split('-').map(|part| part.parse::<i32>().ok());
    days_of_civil([parts.next()??, parts.next()??, parts.next()??])
}

/// Days since 1970-01-01 of a year, a month and a day, if there is that day.
pub(crate) fn days_of_civil([year, month, day]: [i32; 3]) -> Option<i32> {
    let longest = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month and day of the day so many days after 1970-01-01, in the proleptic Gregorian calendar.
///
/// After H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub fn civil_of_days(days: i64) -> [i64; 3] {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    [year_of_era + era * 400 + i64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::{days_of, transposed_days_of};

    #[test]
    fn days_count_from_the_epoch() {
        assert_eq!(days_of("1970-01-01"), Some(0));
        assert_eq!(days_of("2000-03-01"), Some(11_017));
        assert_eq!(days_of("1969-12-31"), Some(-1));
        assert_eq!(days_of("2001-02-29"), None);
        assert_eq!(days_of("soon"), None);
        assert_eq!(transposed_days_of("2001-03-04"), days_of("2001-04-03"));
        assert_eq!(transposed_days_of("2001-03-14"), None);
    }
}
