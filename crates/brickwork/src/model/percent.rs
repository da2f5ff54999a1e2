//! Shares of images, and whatever else is told in percent.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A share that is told in percent. It is the one owner of that unit: in JSON it is a number of percent,
/// rounded to six decimals, and its text is that number with two decimals (or as many as the format asks
/// for) and its sign, `96.67 %`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// The share of which all is 1.
    pub fn of(share: f64) -> Self {
        Self(share)
    }

    /// A part of a whole; 0 of nothing.
    pub fn ratio(part: u64, whole: u64) -> Self {
        Self(part as f64 / whole.max(1) as f64)
    }

    /// The share, of which all is 1.
    pub fn share(self) -> f64 {
        self.0
    }

    /// The number of percent, as JSON has it.
    pub fn number(self) -> f64 {
        // Rounded, since 0.07 * 100 is 7.000000000000001.
        (self.0 * 1e8).round() / 1e6
    }

    /// The number with two decimals, for a column whose head has the sign.
    pub fn cell(self) -> String {
        format!("{:.2}", self.number())
    }

    /// By how many points it is above another.
    pub fn points_above(self, other: Self) -> f64 {
        100.0 * (self.0 - other.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*} %", f.precision().unwrap_or(2), self.number())
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.number())
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A share in percent, from 0 to 100, rounded to six decimals.",
            "type": "number",
            "format": "percent"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_text_hold_the_same_number() {
        let found = Percent::of(0.07);
        assert_eq!(serde_json::to_string(&found).expect("a number"), "7.0");
        assert_eq!((found.to_string(), found.cell()), ("7.00 %".to_owned(), "7.00".to_owned()));
        let third = Percent::ratio(2, 3);
        assert_eq!(serde_json::to_string(&third).expect("a number"), "66.666667");
        assert_eq!(format!("{third}, {third:.0}"), "66.67 %, 67 %");
        assert_eq!(third.share(), 2.0 / 3.0);
        assert_eq!(Percent::ratio(0, 0), Percent::default());
    }

    #[test]
    fn points_are_not_rounded() {
        assert_eq!(Percent::of(0.75).points_above(Percent::of(0.5)), 25.0);
        assert!(Percent::ratio(2, 3).points_above(Percent::ratio(1, 3)) > 33.333_333_33);
    }
}
