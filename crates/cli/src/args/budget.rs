//! Shares, as they are typed.

/// A percentage, or a fraction with a point, which cannot be taken for a percentage without its sign.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse().ok().filter(|_| text.contains('.')),
    };
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0% to 100%, such as 40% or 0.4".to_owned())
}
