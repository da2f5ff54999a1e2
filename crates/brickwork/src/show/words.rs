//! Numbers in words.

use brickwork_data::Split;

use crate::measure::held_out::Measure;

/// 1234567 as 1,234,567.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 image", "8 images".
pub fn counted(count: usize, thing: &str) -> String {
    let number = thousands(count as u64);
    format!("{number} {thing}{}", if count == 1 { "" } else { "s" })
}

/// What was measured, and on what, while something was made: so many images of the part `split`, or of the training images
/// if none is named.
pub fn held_out_words(measure: Option<Measure>, count: usize, split: Option<Split>) -> String {
    let measure = measure.map_or("accuracy", Measure::name);
    match split {
        Some(split) => format!("{measure} on {} of the {split} part", counted(count, "image")),
        None => format!(
            "{measure} on {} held out, which the model may have learned from before",
            counted(count, "training image")
        ),
    }
}

/// A difference between things that should be alike: "none", "2.4e-7".
pub fn difference_words(difference: f32) -> String {
    if difference == 0.0 { "none".to_owned() } else { format!("{difference:.1e}") }
}

/// A coordinate: drawings need no more than tenths.
pub(super) fn tenths(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(12), "12");
        assert_eq!([0.0, 2.4e-7].map(difference_words), ["none", "2.4e-7"]);
        assert_eq!(
            [1, 8, 1200].map(|n| counted(n, "image")),
            ["1 image", "8 images", "1,200 images"]
        );
    }
}
