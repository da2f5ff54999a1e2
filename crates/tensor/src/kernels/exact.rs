//! Sums that do not depend on the order of their terms, to the last bit.
//!
//! Every term is split at fixed places into a multiple of 2^-14 and a multiple of 2^-46; each part
//! is added in `f64`, where such sums are exact as long as they stay in range. So totals can be
//! taken in parts, on any number of threads, and joined, without changing a bit (the idea of
//! pre-rounded summation: Demmel and Nguyen 2013). What lies below 2^-46 of a term is dropped.

use crate::simd::{Level, Simd, dispatch};

/// `1.5 * 2^38`: adding and subtracting it rounds to a multiple of 2^-14.
pub(super) const HIGH: f64 = 412_316_860_416.0;
/// `1.5 * 2^6`: adding and subtracting it rounds to a multiple of 2^-46.
pub(super) const LOW: f64 = 96.0;
/// Totals up to here are exact.
const RANGE: f64 = 137_438_953_472.0;
/// Terms up to here may be added.
const TERMS: u64 = 1 << 20;

/// An array of order-independent sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExactSums {
    high: Vec<f64>,
    low: Vec<f64>,
}

impl ExactSums {
    /// `len` sums of nothing.
    pub fn zeros(len: usize) -> Self {
        Self { high: vec![0.0; len], low: vec![0.0; len] }
    }

    /// Sums from their two parts, as [`parts`](Self::parts) gives them.
    ///
    /// # Panics
    /// If the parts differ in length.
    pub fn from_parts(high: Vec<f64>, low: Vec<f64>) -> Self {
        assert_eq!(high.len(), low.len(), "parts of sums");
        Self { high, low }
    }

    /// The multiples of 2^-14 and of 2^-46.
    pub fn parts(&self) -> (&[f64], &[f64]) {
        (&self.high, &self.low)
    }

    /// Number of sums.
    pub fn len(&self) -> usize {
        self.high.len()
    }

    /// Whether there are no sums.
    pub fn is_empty(&self) -> bool {
        self.high.is_empty()
    }

    /// Adds `terms[k]` to sum `k`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&mut self, terms: &[f32], level: Level) {
        add_terms(&mut self.high, &mut self.low, terms, level);
    }

    /// Adds the sums of `other`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn join(&mut self, other: &Self) {
        assert_eq!(self.len(), other.len(), "number of sums");
        self.high.iter_mut().zip(&other.high).for_each(|(a, b)| *a += b);
        self.low.iter_mut().zip(&other.low).for_each(|(a, b)| *a += b);
    }

    /// Whether `terms` additions stayed where they are exact.
    pub fn is_exact(&self, terms: u64) -> bool {
        terms <= TERMS && self.high.iter().all(|x| x.abs() < RANGE)
    }

    /// The sums.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.high.iter().zip(&self.low).map(|(high, low)| high + low)
    }

    /// Both parts of all sums, to be filled from outside in chunks.
    pub fn parts_mut(&mut self) -> (&mut [f64], &mut [f64]) {
        (&mut self.high, &mut self.low)
    }
}

/// Adds `terms[k]` to the sum in `high[k]` and `low[k]`.
///
/// # Panics
/// If the lengths differ.
pub fn add_terms(high: &mut [f64], low: &mut [f64], terms: &[f32], level: Level) {
    assert!(high.len() == terms.len() && low.len() == terms.len(), "number of terms");
    // SAFETY: `add_here` works on slices of one length.
    #[allow(unsafe_code)]
    {
        dispatch!(level, add_here(
            high: &mut [f64] = high,
            low: &mut [f64] = low,
            terms: &[f32] = terms,
        ));
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_here<S: Simd>(high: &mut [f64], low: &mut [f64], terms: &[f32]) {
    for ((high, low), &term) in high.iter_mut().zip(low).zip(terms) {
        let term = f64::from(term);
        let coarse = (term + HIGH) - HIGH;
        *high += coarse;
        *low += ((term - coarse) + LOW) - LOW;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_and_parts_do_not_matter(
            terms in prop::collection::vec(-1e6f32..1e6, 1..200),
            small in prop::collection::vec(-1e-3f32..1e-3, 1..200),
            cut in 0usize..200,
        ) {
            let all: Vec<f32> = terms.into_iter().chain(small).collect();
            let mut forwards = ExactSums::zeros(1);
            all.iter().for_each(|&x| forwards.add(&[x], Level::best()));
            let (mut a, mut b) = (ExactSums::zeros(1), ExactSums::zeros(1));
            for (k, &x) in all.iter().enumerate().rev() {
                if k < cut { a.add(&[x], Level::portable()) } else { b.add(&[x], Level::best()) }
            }
            a.join(&b);
            prop_assert_eq!(&a, &forwards);
            prop_assert!(a.is_exact(all.len() as u64));
            let plain: f64 = all.iter().map(|&x| f64::from(x)).sum();
            prop_assert!((a.values().next().unwrap() - plain).abs() < 1e-6);
        }
    }

    #[test]
    fn leaving_the_range_is_noticed() {
        let mut sums = ExactSums::zeros(1);
        sums.add(&[2e11], Level::best());
        assert!(!sums.is_exact(1));
        assert!(!ExactSums::zeros(1).is_exact(TERMS + 1));
    }
}
