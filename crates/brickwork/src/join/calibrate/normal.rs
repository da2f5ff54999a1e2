//! The normal distributions that moments describe, and draws from them.

use faer::{Mat, Side};
use rand::{Rng, RngExt};

use crate::model::card::Moments;

/// A normal distribution of several numbers.
pub(crate) struct Normal {
    mean: Vec<f64>,
    /// A square root of the covariance.
    root: Mat<f64>,
}

impl Normal {
    /// What logits on images of a class are drawn from.
    pub(crate) fn of_class(moments: &Moments, class: usize) -> Self {
        let spread = moments.covariances.get(class).unwrap_or(&moments.covariances[0]);
        Self::new(&moments.means[class], spread)
    }

    /// What logits on images of other classes are drawn from.
    pub(crate) fn of_foreign(moments: &Moments) -> Option<Self> {
        (!moments.foreign_mean.is_empty())
            .then(|| Self::new(&moments.foreign_mean, &moments.foreign_covariance))
    }

    fn new(mean: &[f32], triangle: &[f32]) -> Self {
        let k = mean.len();
        let place = |a: usize, b: usize| a * k - a * (a + 1) / 2 + b;
        let spread = Mat::from_fn(k, k, |a, b| f64::from(triangle[place(a.min(b), a.max(b))]));
        let mean = mean.iter().map(|&z| f64::from(z)).collect();
        let root = match spread.self_adjoint_eigen(Side::Lower) {
            // Rounding may leave values a little below zero.
            Ok(found) => {
                let size = |c: usize| found.S().column_vector()[c].max(0.0).sqrt();
                Mat::from_fn(k, k, |r, c| found.U()[(r, c)] * size(c))
            }
            Err(_) => Mat::zeros(k, k),
        };
        Self { mean, root }
    }

    /// One draw.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Vec<f32> {
        let k = self.mean.len();
        let noise: Vec<f64> = (0..k).map(|_| standard(rng)).collect();
        let moved = |r: usize| (0..k).map(|c| self.root[(r, c)] * noise[c]).sum::<f64>();
        (0..k).map(|r| (self.mean[r] + moved(r)) as f32).collect()
    }
}

/// A standard normal number (Box and Muller 1958).
fn standard(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
