//! Values of requests that people write as words: `30%`, `2M`, `224x160`, `5ms`, `50`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use brickwork_data::{Augment, Dataset};

use crate::images::select::Sampling;
use crate::images::source::Held;
use crate::model::error::Error;
use crate::model::sizes::Unit;
use crate::model::text::text_form;

/// A size to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// Of the whole, above 0 and up to 1.
    Share(f64),
    /// So many.
    Count(u64),
}

impl Budget {
    /// In units of the whole.
    ///
    /// # Errors
    /// If it is more than the whole.
    pub fn of(self, whole: u64, unit: &Unit) -> Result<u64, Error> {
        match self {
            Self::Count(count) if count > whole => Err(Error::options(format!(
                "there are only {whole} {}, {count} are asked for",
                unit.name()
            ))),
            Self::Count(count) => Ok(count),
            Self::Share(share) => Ok((whole as f64 * share) as u64),
        }
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = count(text).filter(|&count| count > 0).map(Self::Count);
        let share = || share(text).filter(|&share| share > 0.0).map(Self::Share);
        count.or_else(share).ok_or_else(|| {
            "expected a share such as 50% or 0.5 (above 0%, up to 100%) or a number such as 20000000 or 20M"
                .to_owned()
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => Share(*share).fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

text_form!(Budget, "30% | 2M");

/// A share, from 0 to 1. Written as a percentage, or as a fraction with a point, which cannot be taken
/// for a percentage without its sign.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = share(text).map(Self);
        found.ok_or_else(|| "expected a share from 0% to 100%, such as 40% or 0.4".to_owned())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded, since 0.07 * 100 is 7.000000000000001.
        write!(f, "{}%", (self.0 * 1e12).round() / 1e10)
    }
}

text_form!(Share, "40%");

/// A time in milliseconds, above 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Milliseconds(pub f64);

impl FromStr for Milliseconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, factor) = match (text.strip_suffix("ms"), text.strip_suffix("us")) {
            (Some(number), _) => (number, 1.0),
            (_, Some(number)) => (number, 1e-3),
            _ => (text, f64::NAN),
        };
        let time = number.trim().parse::<f64>().ok().map(|time| time * factor);
        time.filter(|time| *time > 0.0 && time.is_finite())
            .map(Self)
            .ok_or_else(|| "expected a time such as 5ms or 300us".to_owned())
    }
}

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

text_form!(Milliseconds, "5ms");

/// How many times as fast, above 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Times(pub f64);

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let times = text.strip_suffix('x').unwrap_or(text).trim().parse::<f64>().ok();
        times
            .filter(|times| *times > 1.0 && times.is_finite())
            .map(Self)
            .ok_or_else(|| "expected how many times as fast, above 1, such as 2x".to_owned())
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

text_form!(Times, "2x");

/// Height and width of images, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub [usize; 2]);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a size such as 224 or 224x160, up to 16384".to_owned();
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        let side =
            |text: &str| text.parse::<usize>().ok().filter(|side| (1..=16_384).contains(side));
        Ok(Self([side(height).ok_or_else(wrong)?, side(width).ok_or_else(wrong)?]))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = self.0;
        write!(f, "{height}x{width}")
    }
}

text_form!(Size, "H[xW]");

/// Which samples are held out to measure on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOut {
    /// None; nothing is measured.
    None,
    /// A share of every class, above 0 and below 1.
    Share(f64),
    /// So many of every class.
    PerClass(usize),
}

impl HoldOut {
    /// How many of every class, if any.
    pub(super) fn amount(self) -> Option<Held> {
        match self {
            Self::None => None,
            Self::Share(share) => Some(Held::Fraction(share)),
            Self::PerClass(count) => Some(Held::PerClass(count)),
        }
    }
}

impl FromStr for HoldOut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a percentage below 100, a count per class, or none".to_owned();
        if text == "none" {
            return Ok(Self::None);
        }
        if text.ends_with('%') {
            let share = share(text).filter(|share| (f64::MIN_POSITIVE..1.0).contains(share));
            return share.map(Self::Share).ok_or_else(wrong);
        }
        text.parse().ok().filter(|&count| count > 0).map(Self::PerClass).ok_or_else(wrong)
    }
}

impl fmt::Display for HoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Share(share) => Share(*share).fmt(f),
            Self::PerClass(count) => count.fmt(f),
        }
    }
}

text_form!(HoldOut, "10% | 50 | none");

/// A class, and the file of the component that it is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The name of the class.
    pub class: String,
    /// The component.
    pub component: PathBuf,
}

impl FromStr for Replacement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((class, path)) if !class.is_empty() && !path.is_empty() => {
                Ok(Self { class: class.to_owned(), component: path.into() })
            }
            _ => Err("expected a class and a file, such as cat=better.onnx".to_owned()),
        }
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.class, self.component.display())
    }
}

text_form!(Replacement, "CLASS=COMPONENT.onnx");

/// How images vary from epoch to epoch; not at all unless something is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation(pub Augment);

impl FromStr for Augmentation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut augment = Augment::default();
        if text == "none" {
            return Ok(Self(augment));
        }
        for word in text.split(',') {
            let (name, number) = match word.split_once('=') {
                Some((name, number)) => (name, number.parse().ok()),
                None => (word, None),
            };
            match (name, number) {
                ("flip", None) if word == "flip" => augment.flip = true,
                ("crop", Some(reach)) => augment.pad_crop = Some(reach),
                ("cutout", Some(side)) => augment.cutout = Some(side),
                _ => {
                    return Err("expected crop=PIXELS, flip, cutout=PIXELS or none".to_owned());
                }
            }
        }
        Ok(Self(augment))
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Augment { pad_crop, flip, cutout } = self.0;
        let words = [
            pad_crop.map(|reach| format!("crop={reach}")),
            flip.then(|| "flip".to_owned()),
            cutout.map(|side| format!("cutout={side}")),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "none".to_owned() } else { words.join(",") }.as_str())
    }
}

text_form!(Augmentation, "LIST");

/// A value of a student and the value of its first teacher that it is to come near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The student's, by name.
    pub student: String,
    /// The teacher's, by name.
    pub teacher: String,
}

impl FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((student, teacher)) if !student.is_empty() && !teacher.is_empty() => {
                Ok(Self { student: student.to_owned(), teacher: teacher.to_owned() })
            }
            _ => Err("expected STUDENT_VALUE=TEACHER_VALUE".to_owned()),
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.student, self.teacher)
    }
}

text_form!(Feature, "VALUE=VALUE");

/// How many samples of a class are taken: 50 unless something else is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples(pub Sampling);

impl Default for Samples {
    fn default() -> Self {
        Self(Sampling::Count(50))
    }
}

impl FromStr for Samples {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Sampling::Count(count) => write!(f, "{count}"),
            Sampling::Percent(percent) => write!(f, "{percent}%"),
            Sampling::All => f.write_str("all"),
        }
    }
}

text_form!(Samples, "50 | 1% | all");

/// One of several equal portions of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// Which one, from 1.
    pub place: usize,
    /// Of how many.
    pub of: usize,
}

impl Portion {
    /// Of a data set, the images that are in it.
    pub(super) fn of_set(self, dataset: &Dataset) -> Dataset {
        dataset.portion(self.place - 1, self.of)
    }
}

impl FromStr for Portion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').map(|(place, of)| (place.parse(), of.parse()));
        match numbers {
            Some((Ok(place), Ok(of))) if (1..=of).contains(&place) && of <= 1_000_000 => {
                Ok(Self { place, of })
            }
            _ => Err("expected a part such as 1/4".to_owned()),
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.of)
    }
}

text_form!(Portion, "K/N");

/// A whole number, or one of thousands (K), millions (M) or billions (G).
fn count(text: &str) -> Option<u64> {
    let factors = [('K', 1e3), ('M', 1e6), ('G', 1e9)];
    let scaled = factors.into_iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
        (0.0..1e9).contains(&number).then_some((number * factor).round() as u64)
    });
    text.parse().ok().or(scaled)
}

/// A percentage, or a fraction with a point.
fn share(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse().ok().filter(|_| text.contains('.')),
    };
    share.filter(|share| (0.0..=1.0).contains(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_or_fractions() {
        for (text, share) in
            [("40%", 0.4), ("0.4", 0.4), ("0%", 0.0), ("1.0", 1.0), ("2.5 %", 0.025)]
        {
            assert_eq!(text.parse(), Ok(Share(share)), "{text}");
        }
        for text in ["40", "1", "1.1", "101%", "-0.1", "%", "", ".", "NaN%", "a.b"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn budgets_are_shares_or_numbers() {
        for (text, count) in [("1", 1), ("20000000", 20_000_000), ("2M", 2_000_000), ("1.5K", 1500)]
        {
            assert_eq!(text.parse(), Ok(Budget::Count(count)), "{text}");
        }
        for (text, share) in [("30%", 0.3), ("0.3", 0.3), ("1.0", 1.0)] {
            assert_eq!(text.parse(), Ok(Budget::Share(share)), "{text}");
        }
        for text in ["0", "0%", "0.0", "0M", "-1", "-1M", "NaNM", "infM", "2m", "M", "1e30G", "1.5"]
        {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_held_out() {
        assert_eq!("10%".parse(), Ok(HoldOut::Share(0.1)));
        assert_eq!("50".parse(), Ok(HoldOut::PerClass(50)));
        assert_eq!("none".parse(), Ok(HoldOut::None));
        for bad in ["0", "100%", "-1", "x", "0%", "0.1"] {
            assert!(bad.parse::<HoldOut>().is_err(), "{bad}");
        }
    }

    #[test]
    fn variations() {
        let all = Augment { pad_crop: Some(4), flip: true, cutout: Some(8) };
        assert_eq!("crop=4,flip,cutout=8".parse(), Ok(Augmentation(all)));
        assert_eq!("none".parse(), Ok(Augmentation::default()));
        for bad in ["crop", "flip=1", "mirror", "crop=x", ""] {
            assert!(bad.parse::<Augmentation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["30%", "7%", "0.5%", "2000000"] {
            assert_eq!(text.parse::<Budget>().unwrap().to_string(), text);
        }
        for text in ["none", "10%", "50"] {
            assert_eq!(text.parse::<HoldOut>().unwrap().to_string(), text);
        }
        for text in ["none", "flip", "crop=4,flip,cutout=8"] {
            assert_eq!(text.parse::<Augmentation>().unwrap().to_string(), text);
        }
        for text in ["inner=outer", "a=b=c"] {
            assert_eq!(text.parse::<Feature>().unwrap().to_string(), text);
        }
        for text in ["50", "1.5%", "all"] {
            assert_eq!(text.parse::<Samples>().unwrap().to_string(), text);
        }
        assert_eq!("1/4".parse::<Portion>().unwrap().to_string(), "1/4");
        for text in ["0/4", "5/4", "1", "/", "1/4000000"] {
            assert!(text.parse::<Portion>().is_err(), "{text}");
        }
        assert_eq!("224".parse::<Size>().unwrap().to_string(), "224x224");
        assert_eq!("300us".parse::<Milliseconds>().unwrap().to_string(), "0.3ms");
        let budget: Budget = serde_json::from_str("0.25").unwrap();
        assert_eq!(serde_json::to_string(&budget).unwrap(), "\"25%\"");
    }
}
