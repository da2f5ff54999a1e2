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
    /// The next whole number above.
    Ceil,
    /// The next whole number below.
    Floor,
    /// The nearest whole number; of two, the even one.
    Round,
    /// -1, 0 or 1.
    Sign,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x` above the bound, else 0.
    Threshold(f32),
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

    /// The function is constant for all arguments up to the first number, and from the second on.
    pub fn flat(&self) -> (f32, f32) {
        match self {
            Self::Clip(low, high) => (*low, *high),
            Self::HardSigmoid(slope, shift) if *slope > 0.0 => {
                (-shift / slope, (1.0 - shift) / slope)
            }
            Self::HardSwish => (-3.0, f32::INFINITY),
            Self::Chain(functions) => functions.first().map_or(Self::NOWHERE, Self::flat),
            _ => Self::NOWHERE,
        }
    }

    const NOWHERE: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

    /// Whether the derivative can be told from the result, so that the argument need not be kept.
    pub fn derives_from_result(&self) -> bool {
        use Pointwise as P;
        match self {
            P::LeakyRelu(slope) => *slope > 0.0,
            P::Elu(alpha) => *alpha > 0.0,
            P::HardSigmoid(..) | P::Clip(..) | P::Sigmoid | P::Tanh | P::Exp => true,
            P::Sqrt | P::Reciprocal | P::Neg | P::Affine(..) => true,
            _ => false,
        }
    }

    /// Multiplies `gradient` by the derivative, element by element. `known` holds the results if
    /// [`derives_from_result`](Self::derives_from_result), the arguments otherwise. Where a function
    /// has a bend, the derivative is that of the flat side (0), as in PyTorch.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn differentiate(&self, known: &[f32], gradient: &mut [f32], level: Level) {
        assert_eq!(known.len(), gradient.len(), "gradient length");
        let chunks = gradient.par_chunks_mut(CHUNK).zip(known.par_chunks(CHUNK));
        chunks.for_each(|(gradient, known)| self.differentiate_here(known, gradient, level));
    }

    #[allow(unsafe_code)]
    fn differentiate_here(&self, known: &[f32], gradient: &mut [f32], level: Level) {
        match self {
            Self::Gated(gate) => {
                // (x g(x))' = g(x) + x g'(x)
                let mut open = known.to_vec();
                gate.apply_here(&mut open, level);
                let mut slope = known.to_vec();
                let from = if gate.derives_from_result() { &open } else { known };
                gate.differentiate_here(from, &mut slope, level);
                for (dy, (open, slope)) in gradient.iter_mut().zip(open.iter().zip(&slope)) {
                    *dy *= open + slope;
                }
            }
            Self::Chain(functions) => {
                let mut passed = vec![known.to_vec()];
                for function in functions {
                    let mut next = passed[passed.len() - 1].clone();
                    function.apply_here(&mut next, level);
                    passed.push(next);
                }
                for (k, function) in functions.iter().enumerate().rev() {
                    let from = &passed[k + usize::from(function.derives_from_result())];
                    function.differentiate_here(from, gradient, level);
                }
            }
            simple => {
                // SAFETY: `differentiate_simple` only touches the slices.
                dispatch!(level, differentiate_simple(
                    f: &Pointwise = simple,
                    known: &[f32] = known,
                    gradient: &mut [f32] = gradient,
                ));
            }
        }
    }

    #[allow(unsafe_code)]
    pub(super) fn apply_here(&self, values: &mut [f32], level: Level) {
        match self {
            Self::Gated(gate) if matches!(**gate, Self::Gated(_) | Self::Chain(_)) => {
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
            simple => {
                let (function, gated) = match simple {
                    Self::Gated(gate) => (&**gate, true),
                    _ => (simple, false),
                };
                // SAFETY: `apply_simple` only touches the slice.
                dispatch!(level, apply_simple(
                    f: &Pointwise = function,
                    gated: bool = gated,
                    x: &mut [f32] = values,
                ));
            }
        }
    }
}

/// Applies a function to every element, or multiplies the element by it.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn apply_simple<S: Simd>(function: &Pointwise, gated: bool, values: &mut [f32]) {
    use Pointwise as P;
    // Loops, whose bodies are compiled for the instruction set here, which those of closures need not be.
    macro_rules! map {
        (|$x:ident| $result:expr) => {
            if gated {
                for value in values {
                    let $x = *value;
                    *value *= $result;
                }
            } else {
                for value in values {
                    let $x = *value;
                    *value = $result;
                }
            }
        };
    }
    match *function {
        P::Clip(low, high) => map!(|x| clip(x, low, high)),
        P::LeakyRelu(slope) => map!(|x| if x < 0.0 { slope * x } else { x }),
        P::Sigmoid => map!(|x| sigmoid::<S>(x)),
        P::HardSigmoid(slope, shift) => map!(|x| clip(slope * x + shift, 0.0, 1.0)),
        P::HardSwish => map!(|x| x * clip(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)),
        P::Tanh => map!(|x| 2.0 * sigmoid::<S>(2.0 * x) - 1.0),
        P::Elu(alpha) => map!(|x| if x < 0.0 { alpha * (exp::<S>(x) - 1.0) } else { x }),
        P::Erf => map!(|x| erf::<S>(x)),
        P::Exp => map!(|x| exp::<S>(x)),
        P::Log => map!(|x| x.ln()),
        P::Sqrt => map!(|x| x.sqrt()),
        P::Neg => map!(|x| -x),
        P::Abs => map!(|x| x.abs()),
        P::Reciprocal => map!(|x| 1.0 / x),
        P::Ceil => map!(|x| x.ceil()),
        P::Floor => map!(|x| x.floor()),
        P::Round => map!(|x| x.round_ties_even()),
        P::Sign => map!(|x| if x == 0.0 { 0.0 } else { 1.0f32.copysign(x) }),
        P::Sin => map!(|x| x.sin()),
        P::Cos => map!(|x| x.cos()),
        P::Softplus => map!(|x| x.max(0.0) + exp::<S>(-x.abs()).ln_1p()),
        P::Softsign => map!(|x| x / (1.0 + x.abs())),
        P::Threshold(bound) => map!(|x| if x > bound { x } else { 0.0 }),
        P::Affine(scale, shift) => map!(|x| scale * x + shift),
        P::Power(2.0) => map!(|x| x * x),
        P::Power(p) => map!(|x| x.powf(p)),
        P::Gated(_) | P::Chain(_) => unreachable!("handled by the caller"),
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn differentiate_simple<S: Simd>(function: &Pointwise, known: &[f32], gradient: &mut [f32]) {
    use Pointwise as P;
    // A loop, as in `apply_simple`.
    macro_rules! slopes {
        (|$x:ident| $slope:expr) => {
            for (dy, &$x) in gradient.iter_mut().zip(known) {
                *dy *= $slope;
            }
        };
    }
    match *function {
        // Of the result.
        P::Clip(low, high) => slopes!(|y| f32::from(low < y && y < high)),
        P::LeakyRelu(slope) => slopes!(|x| if x > 0.0 { 1.0 } else { slope }),
        P::Sigmoid => slopes!(|y| y * (1.0 - y)),
        P::HardSigmoid(slope, _) => slopes!(|y| slope * f32::from(0.0 < y && y < 1.0)),
        P::Tanh => slopes!(|y| 1.0 - y * y),
        P::Elu(alpha) if alpha > 0.0 => {
            slopes!(|y| if y > 0.0 { 1.0 } else { y + alpha });
        }
        P::Exp => slopes!(|y| y),
        P::Sqrt => slopes!(|y| 0.5 / y),
        P::Reciprocal => slopes!(|y| -y * y),
        P::Neg => slopes!(|_x| -1.0),
        P::Affine(scale, _) => slopes!(|_x| scale),
        // Of the argument.
        P::Elu(alpha) => slopes!(|x| if x > 0.0 { 1.0 } else { alpha * exp::<S>(x) }),
        P::HardSwish => slopes!(|x| {
            let inside = x * (1.0 / 3.0) + 0.5;
            if x < -3.0 {
                0.0
            } else if x > 3.0 {
                1.0
            } else {
                inside
            }
        }),
        P::Erf => {
            slopes!(|x| std::f32::consts::FRAC_2_SQRT_PI * exp::<S>(-x * x));
        }
        P::Log => slopes!(|x| 1.0 / x),
        P::Abs => slopes!(|x| if x == 0.0 { 0.0 } else { 1.0f32.copysign(x) }),
        P::Ceil | P::Floor | P::Round | P::Sign => slopes!(|_x| 0.0),
        P::Sin => slopes!(|x| x.cos()),
        P::Cos => slopes!(|x| -x.sin()),
        P::Softplus => slopes!(|x| sigmoid::<S>(x)),
        P::Softsign => slopes!(|x| 1.0 / ((1.0 + x.abs()) * (1.0 + x.abs()))),
        P::Threshold(bound) => slopes!(|x| f32::from(x > bound)),
        P::Power(2.0) => slopes!(|x| 2.0 * x),
        P::Power(p) => slopes!(|x| p * x.powf(p - 1.0)),
        P::Gated(_) | P::Chain(_) => unreachable!("handled by the caller"),
    }
}

/// Zeroes each element with probability `ratio` and divides the others by `1 - ratio`, in place.
/// Which ones depends on the seed and the element's place alone.
pub fn drop_out(values: &mut [f32], ratio: f32, seed: u64) {
    let limit = (f64::from(ratio) * (1u64 << 32) as f64) as u64;
    let scale = if ratio < 1.0 { 1.0 / (1.0 - ratio) } else { 0.0 };
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        for (k, x) in values.iter_mut().enumerate() {
            let drawn = mixed(seed.wrapping_add((chunk * CHUNK + k) as u64)) >> 32;
            *x = if drawn < limit { 0.0 } else { *x * scale };
        }
    });
}

/// A well mixed function of 64 bits (SplitMix64; Steele et al. 2014).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
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
pub(super) fn exp<S: Simd>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let clipped = clip(x, -87.0, 88.0);
    let shifted = S::mul_add(clipped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = S::mul_add(n, 2.121_944_4e-4, S::mul_add(n, -0.693_359_4, clipped));
    let p = S::mul_add(1.0 / 5040.0, r, 1.0 / 720.0);
    let p = S::mul_add(p, r, 1.0 / 120.0);
    let p = S::mul_add(p, r, 1.0 / 24.0);
    let p = S::mul_add(p, r, 1.0 / 6.0);
    let p = S::mul_add(p, r, 0.5);
    let p = S::mul_add(p * r, r, r + 1.0);
    let power =
        f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    let y = p * power;
    let y = if x < -87.0 { 0.0 } else { y };
    if x > 88.7 { f32::INFINITY } else { y }
}

#[inline(always)]
fn sigmoid<S: Simd>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<S>(-x))
}

/// The error function to 1.5e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
fn erf<S: Simd>(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / S::mul_add(0.327_591_1, a, 1.0);
    let p = S::mul_add(1.061_405_4, t, -1.453_152);
    let p = S::mul_add(p, t, 1.421_413_7);
    let p = S::mul_add(p, t, -0.284_496_74);
    let p = S::mul_add(p, t, 0.254_829_6);
    (1.0 - p * t * exp::<S>(-a * a)).copysign(x)
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
    fn derivatives_agree_with_finite_differences() {
        use Pointwise as P;
        let functions = [
            (P::RELU, -2.0..2.0),
            (P::Clip(-1.0, 1.0), -2.0..2.0),
            (P::LeakyRelu(0.1), -2.0..2.0),
            (P::LeakyRelu(-0.5), -2.0..2.0),
            (P::Sigmoid, -4.0..4.0),
            (P::HardSigmoid(0.2, 0.5), -4.0..4.0),
            (P::HardSwish, -4.0..4.0),
            (P::Tanh, -3.0..3.0),
            (P::Elu(0.7), -3.0..3.0),
            (P::Elu(-0.7), -3.0..3.0),
            (P::Erf, -2.0..2.0),
            (P::Exp, -2.0..2.0),
            (P::Log, 0.5..4.0),
            (P::Sqrt, 0.5..4.0),
            (P::Reciprocal, 0.5..4.0),
            (P::Neg, -2.0..2.0),
            (P::Abs, -2.0..2.0),
            (P::Affine(3.0, 1.0), -2.0..2.0),
            (P::Power(2.0), -2.0..2.0),
            (P::Power(2.5), 0.5..3.0),
            (P::Gated(Box::new(P::Sigmoid)), -4.0..4.0),
            (P::Gated(Box::new(P::HardSwish)), -4.0..4.0),
            (P::Chain(vec![P::Affine(0.5, 1.0), P::Tanh, P::Power(2.0)]), -2.0..2.0),
        ];
        for (function, range) in functions {
            for level in Level::available() {
                // Off the round numbers, where some have a bend.
                let at =
                    |k: usize| range.start + (range.end - range.start) * (k as f32 + 0.37) / 89.0;
                let xs: Vec<f32> = (0..89).map(at).collect();
                let moved = |by: f32| {
                    let mut ys: Vec<f32> = xs.iter().map(|x| x + by).collect();
                    function.apply(&mut ys, level);
                    ys
                };
                let (above, below, ys) = (moved(5e-3), moved(-5e-3), moved(0.0));
                let known = if function.derives_from_result() { &ys } else { &xs };
                let mut slopes = vec![1.0; xs.len()];
                function.differentiate(known, &mut slopes, level);
                for k in 0..xs.len() {
                    let want = (above[k] - below[k]) / 0.01;
                    let error = (slopes[k] - want).abs() / want.abs().max(1.0);
                    assert!(error < 2e-3, "{function:?} at {}: {} {want}", xs[k], slopes[k]);
                }
            }
        }
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
            for level in Level::available() {
                let mut y = [x];
                Pointwise::Erf.apply(&mut y, level);
                assert!((f64::from(y[0]) - series(f64::from(x))).abs() < 4e-7, "erf({x})");
            }
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_repeats_itself() {
        let ones = vec![1.0; 100_000];
        for ratio in [0.0, 0.1, 0.5] {
            let mut once = ones.clone();
            drop_out(&mut once, ratio, 7);
            let mean = once.iter().sum::<f32>() / once.len() as f32;
            assert!((mean - 1.0).abs() < 0.01, "{ratio}: {mean}");
            let kept = 1.0 / (1.0 - ratio);
            assert!(once.iter().all(|&x| x == 0.0 || x == kept));
            let mut twice = ones.clone();
            drop_out(&mut twice, ratio, 7);
            assert_eq!(once, twice);
            drop_out(&mut twice, ratio, 8);
            assert!(ratio == 0.0 || once != twice);
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
