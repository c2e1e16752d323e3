//! Regions, as settings may name them.

use crate::normalize::region_of;

/// What people write instead of the code of ISO 3166-1; in byte order.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("AUS", "AU"),
    ("CAN", "CA"),
    ("DEU", "DE"),
    ("EL", "GR"),
    ("EN", "GB"),
    ("ENG", "GB"),
    ("ESP", "ES"),
    ("FRA", "FR"),
    ("GBR", "GB"),
    ("GER", "DE"),
    ("ITA", "IT"),
    ("JA", "JP"),
    ("JAP", "JP"),
    ("UK", "GB"),
    ("USA", "US"),
];

/// Returns whether a text is the code of a region (ISO 3166-1 alpha-2, capital letters) that has
/// telephone numbers.
///
/// ```
/// assert!(sameas_record::is_region("GB"));
/// assert!(!sameas_record::is_region("UK"));
/// ```
pub fn is_region(code: &str) -> bool {
    code.len() == 2 && region_of(code).is_some_and(|region| region == code)
}

/// Returns the code that somebody likely means who wrote something else.
pub fn region_meant(written: &str) -> Option<&'static str> {
    let written = written.trim().to_ascii_uppercase();
    let place = OTHER_NAMES.binary_search_by_key(&written.as_str(), |&(other, _)| other);
    match place {
        Ok(place) => OTHER_NAMES.get(place).map(|(_, code)| *code),
        Err(_) => region_of(&written).filter(|code| code.len() == 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_in_order_and_stand_for_regions() {
        assert!(OTHER_NAMES.is_sorted());
        for (other, code) in OTHER_NAMES {
            assert!(!is_region(other) && is_region(code), "{other}: {code}");
        }
    }

    #[test]
    fn regions_are_those_that_telephones_have() {
        for code in ["US", "GB", "DE", "VA", "XK"] {
            assert!(is_region(code), "{code}");
        }
        for code in ["UK", "us", "001", "", "ZZ", "USA"] {
            assert!(!is_region(code), "{code}");
        }
        assert_eq!(region_meant(" us"), Some("US"));
        assert_eq!(region_meant("uk"), Some("GB"));
        assert_eq!(region_meant("ZZ"), None);
    }
}
