//! Functions of one element: activations and a little arithmetic.

use rayon::prelude::*;

use crate::simd::{Level, Simd, dispatch};

/// A function applied to every element.
#[derive(Clone, Debug, PartialEq)]
pub enum Pointwise {
    /// `min(max(x, low), high)`; ReLU is `Clip(0, inf)`.
    Clip(f32, f32),
    /// `x` for positive `x`, else `slope * x`.
    LeakyRelu(f32),
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `clip(slope * x + shift, 0, 1)`.
    HardSigmoid(f32, f32),
    /// `x * clip(x / 6 + 1/2, 0, 1)`.
    HardSwish,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` for positive `x`, else `alpha * (exp(x) - 1)`.
    Elu(f32),
    /// The error function.
    Erf,
    /// `exp(x)`.
    Exp,
    /// `ln(x)`.
    Log,
    /// Square root.
    Sqrt,
    /// `-x`.
    Neg,
    /// `|x|`.
    Abs,
    /// `1 / x`.
    Reciprocal,
    /// `scale * x + shift`.
    Affine(f32, f32),
    /// `x * f(x)`: SiLU is `Gated(Sigmoid)`.
    Gated(Box<Pointwise>),
    /// `x^p`.
    Power(f32),
    /// The functions one after the other.
    Chain(Vec<Pointwise>),
}

/// Elements a task handles at a time.
const CHUNK: usize = 1 << 14;

impl Pointwise {
    /// `max(x, 0)`.
    pub const RELU: Self = Self::Clip(0.0, f32::INFINITY);

    /// Applies the function to every element, on all cores.
    pub fn apply(&self, values: &mut [f32], level: Level) {
        if values.len() <= CHUNK {
            return self.apply_here(values, level);
        }
        values.par_chunks_mut(CHUNK).for_each(|chunk| self.apply_here(chunk, level));
    }

    #[allow(unsafe_code)]
    fn apply_here(&self, values: &mut [f32], level: Level) {
        match self {
            Self::Gated(gate) => {
                let mut open = [0.0; 256];
                for chunk in values.chunks_mut(open.len()) {
                    let open = &mut open[..chunk.len()];
                    open.copy_from_slice(chunk);
                    gate.apply_here(open, level);
                    chunk.iter_mut().zip(open).for_each(|(x, g)| *x *= *g);
                }
            }
            Self::Chain(functions) => {
                for chunk in values.chunks_mut(2048) {
                    functions.iter().for_each(|f| f.apply_here(chunk, level));
                }
            }
            // SAFETY: `apply_simple` only touches the slice.
            simple => {
                dispatch!(level, apply_simple(f: &Pointwise = simple, x: &mut [f32] = values))
            }
        }
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn apply_simple<S: Simd>(function: &Pointwise, values: &mut [f32]) {
    use Pointwise as P;
    match *function {
        P::Clip(low, high) => map(values, |x| clip(x, low, high)),
        P::LeakyRelu(slope) => map(values, |x| if x < 0.0 { slope * x } else { x }),
        P::Sigmoid => map(values, sigmoid),
        P::HardSigmoid(slope, shift) => map(values, |x| clip(slope * x + shift, 0.0, 1.0)),
        P::HardSwish => map(values, |x| x * clip(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)),
        P::Tanh => map(values, |x| 2.0 * sigmoid(2.0 * x) - 1.0),
        P::Elu(alpha) => map(values, |x| if x < 0.0 { alpha * (exp(x) - 1.0) } else { x }),
        P::Erf => map(values, erf),
        P::Exp => map(values, exp),
        P::Log => map(values, f32::ln),
        P::Sqrt => map(values, f32::sqrt),
        P::Neg => map(values, |x| -x),
        P::Abs => map(values, f32::abs),
        P::Reciprocal => map(values, |x| 1.0 / x),
        P::Affine(scale, shift) => map(values, |x| scale * x + shift),
        P::Power(2.0) => map(values, |x| x * x),
        P::Power(p) => map(values, |x| x.powf(p)),
        P::Gated(_) | P::Chain(_) => unreachable!("handled by the caller"),
    }
}

#[inline(always)]
fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|x| *x = f(*x));
}

/// Keeps a NaN.
#[inline(always)]
fn clip(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `exp(x)` to 2 ulp, in a form that compilers vectorise: `2^n * exp(r)`, |r| <= ln(2) / 2, with the
/// Taylor polynomial of degree 7.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let clipped = clip(x, -87.0, 88.0);
    let shifted = clipped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clipped - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    let power =
        f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    let y = p * power;
    let y = if x < -87.0 { 0.0 } else { y };
    if x > 88.7 { f32::INFINITY } else { y }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The error function to 1.5e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: Pointwise, tolerance: f64, reference: impl Fn(f64) -> f64) {
        let xs: Vec<f32> = (-4000..4000).map(|k| k as f32 * 0.005).collect();
        for level in Level::available() {
            let mut ys = xs.clone();
            function.apply(&mut ys, level);
            for (x, y) in xs.iter().zip(&ys) {
                let want = reference(f64::from(*x));
                let error = (f64::from(*y) - want).abs() / want.abs().max(1.0);
                assert!(error < tolerance, "{function:?}({x}) = {y}, expected {want}");
            }
        }
    }

    #[test]
    fn functions_match_their_definitions() {
        check(Pointwise::Exp, 5e-7, f64::exp);
        check(Pointwise::Sigmoid, 3e-7, |x| 1.0 / (1.0 + (-x).exp()));
        check(Pointwise::Tanh, 5e-7, f64::tanh);
        check(Pointwise::Elu(0.5), 5e-7, |x| if x < 0.0 { 0.5 * (x.exp() - 1.0) } else { x });
        check(Pointwise::Gated(Box::new(Pointwise::Sigmoid)), 5e-7, |x| x / (1.0 + (-x).exp()));
        check(Pointwise::HardSwish, 1e-6, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0));
        check(Pointwise::Chain(vec![Pointwise::Neg, Pointwise::RELU]), 0.0 + 1e-9, |x| {
            (-x).max(0.0)
        });
    }

    #[test]
    fn erf_matches_its_series() {
        let series = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..120 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        };
        for k in -30..=30 {
            let x = k as f32 * 0.1;
            assert!((f64::from(erf(x)) - series(f64::from(x))).abs() < 4e-7, "erf({x})");
        }
    }

    #[test]
    fn extremes_and_nan() {
        let mut values = [-1e4, 1e4, f32::NAN];
        Pointwise::Exp.apply(&mut values, Level::best());
        assert_eq!(values[..2], [0.0, f32::INFINITY]);
        let mut values = [f32::NAN];
        Pointwise::RELU.apply(&mut values, Level::best());
        assert!(values[0].is_nan());
    }
}
