//! The vector instructions the kernels are written in, chosen at run time.
//!
//! A kernel is one generic function over [`Simd`]; [`dispatch!`] compiles it once for every
//! instruction set and calls the copy that fits the machine. All `unsafe` of this crate is here
//! and in the kernels that walk raw pointers.
#![allow(unsafe_code)]

/// An instruction set that this machine has. It cannot be named, only asked for, so that no kernel
/// runs on a processor without its instructions:
///
/// ```
/// use brickwork_tensor::Level;
/// assert!(Level::available().contains(&Level::best()));
/// ```
///
/// ```compile_fail,E0423
/// # use brickwork_tensor::Level;
/// let forged = Level(9);
/// ```
///
/// ```compile_fail,E0599
/// # use brickwork_tensor::Level;
/// let forged = Level::Avx512;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Instructions {
    /// Plain Rust, any processor.
    Portable,
    /// 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// x86-64 with AVX2 and FMA (2013 on).
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512 F, VL, BW and DQ.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Plain Rust, which any processor can run.
    pub const fn portable() -> Self {
        Self(Instructions::Portable)
    }

    /// The levels this machine can run, slowest first.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::portable()];
        #[cfg(target_arch = "aarch64")]
        levels.push(Self(Instructions::Neon));
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                levels.push(Self(Instructions::Avx2));
                if ["avx512f", "avx512vl", "avx512bw", "avx512dq"].iter().all(|f| has(f)) {
                    levels.push(Self(Instructions::Avx512));
                }
            }
        }
        levels
    }

    /// The fastest level of this machine.
    pub fn best() -> Self {
        static BEST: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::available().pop().unwrap_or(Self::portable()))
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> Instructions {
        self.0
    }

    /// The register tile of a matrix product: (rows, vectors in a row, lanes of a vector).
    pub(crate) fn tile(self) -> (usize, usize, usize) {
        const fn of<S: Simd>() -> (usize, usize, usize) {
            (S::ROWS, S::VECS, S::LANES)
        }
        match self.0 {
            Instructions::Portable => of::<Portable>(),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => of::<Neon>(),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => of::<Avx2>(),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => of::<Avx512>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has(feature: &str) -> bool {
    match feature {
        "avx512f" => std::is_x86_feature_detected!("avx512f"),
        "avx512vl" => std::is_x86_feature_detected!("avx512vl"),
        "avx512bw" => std::is_x86_feature_detected!("avx512bw"),
        "avx512dq" => std::is_x86_feature_detected!("avx512dq"),
        _ => false,
    }
}

/// `f32` vectors of one instruction set.
///
/// # Safety
/// Every method may only run on a processor that has the instruction set, and the pointers
/// must be valid for the elements read or written (`LANES`, or `count` for the partial ones).
pub(crate) trait Simd: Copy {
    type V: Copy;
    const LANES: usize;
    /// Rows of the register tile of a matrix product.
    const ROWS: usize;
    /// Vectors in a row of that tile; `ROWS * VECS` accumulators stay in registers.
    const VECS: usize;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    /// The first `count` elements; the other lanes are zero.
    unsafe fn load_partial(from: *const f32, count: usize) -> Self::V;
    /// Writes the first `count` lanes only.
    unsafe fn store_partial(to: *mut f32, count: usize, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a * b + c` of numbers, rounded once where there is an instruction for that: without one it would be a slow call.
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    /// The first `count` elements, which may be all.
    #[inline(always)]
    unsafe fn load_up_to(from: *const f32, count: usize) -> Self::V {
        unsafe {
            if count == Self::LANES { Self::load(from) } else { Self::load_partial(from, count) }
        }
    }
    /// Writes the first `count` lanes, which may be all.
    #[inline(always)]
    unsafe fn store_up_to(to: *mut f32, count: usize, v: Self::V) {
        unsafe {
            if count == Self::LANES {
                Self::store(to, v)
            } else {
                Self::store_partial(to, count, v)
            }
        }
    }
    /// As many `f64` as there are lanes.
    type Wide: Copy;
    unsafe fn splat_wide(x: f64) -> Self::Wide;
    unsafe fn load_wide(from: *const f64) -> Self::Wide;
    unsafe fn store_wide(to: *mut f64, v: Self::Wide);
    unsafe fn widen(v: Self::V) -> Self::Wide;
    unsafe fn add_wide(a: Self::Wide, b: Self::Wide) -> Self::Wide;
    unsafe fn sub_wide(a: Self::Wide, b: Self::Wide) -> Self::Wide;
}

macro_rules! simd_by_array {
    ($name:ident, $lanes:literal, $rows:literal, $vecs:literal, |$a:ident, $b:ident, $c:ident| $fma:expr) => {
        impl Simd for $name {
            type V = [f32; $lanes];
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            const VECS: usize = $vecs;
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self::V {
                [x; $lanes]
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self::V {
                unsafe { from.cast::<Self::V>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, v: Self::V) {
                unsafe { to.cast::<Self::V>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn load_partial(from: *const f32, count: usize) -> Self::V {
                std::array::from_fn(|k| if k < count { unsafe { *from.add(k) } } else { 0.0 })
            }
            #[inline(always)]
            unsafe fn store_partial(to: *mut f32, count: usize, v: Self::V) {
                for k in 0..count.min($lanes) {
                    unsafe { *to.add(k) = v[k] }
                }
            }
            #[inline(always)]
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| a[k] + b[k])
            }
            #[inline(always)]
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| a[k] - b[k])
            }
            #[inline(always)]
            unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| a[k] * b[k])
            }
            #[inline(always)]
            unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| if a[k] < b[k] { a[k] } else { b[k] })
            }
            #[inline(always)]
            unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|k| if a[k] > b[k] { a[k] } else { b[k] })
            }
            #[inline(always)]
            unsafe fn fma($a: Self::V, $b: Self::V, $c: Self::V) -> Self::V {
                std::array::from_fn(|k| Self::mul_add($a[k], $b[k], $c[k]))
            }
            #[inline(always)]
            fn mul_add($a: f32, $b: f32, $c: f32) -> f32 {
                $fma
            }
            type Wide = [f64; $lanes];
            #[inline(always)]
            unsafe fn splat_wide(x: f64) -> Self::Wide {
                [x; $lanes]
            }
            #[inline(always)]
            unsafe fn load_wide(from: *const f64) -> Self::Wide {
                unsafe { from.cast::<Self::Wide>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store_wide(to: *mut f64, v: Self::Wide) {
                unsafe { to.cast::<Self::Wide>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn widen(v: Self::V) -> Self::Wide {
                v.map(f64::from)
            }
            #[inline(always)]
            unsafe fn add_wide(a: Self::Wide, b: Self::Wide) -> Self::Wide {
                std::array::from_fn(|k| a[k] + b[k])
            }
            #[inline(always)]
            unsafe fn sub_wide(a: Self::Wide, b: Self::Wide) -> Self::Wide {
                std::array::from_fn(|k| a[k] - b[k])
            }
        }
    };
}

/// Arrays of eight, left to the compiler to vectorise. Multiplies and adds round separately,
/// since a fused multiply-add without the instruction is a slow library call.
#[derive(Clone, Copy)]
pub(crate) struct Portable;
simd_by_array!(Portable, 8, 4, 1, |a, b, c| a * b + c);

/// Arrays of four with fused multiply-add, which every 64-bit Arm processor has.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy)]
pub(crate) struct Neon;
#[cfg(target_arch = "aarch64")]
simd_by_array!(Neon, 4, 6, 4, |a, b, c| a.mul_add(b, c));

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    #[inline(always)]
    unsafe fn mask256(count: usize) -> __m256i {
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(8) as i32), lanes)
        }
    }

    #[inline(always)]
    fn mask512(count: usize) -> __mmask16 {
        ((1u32 << count.min(16)) - 1) as __mmask16
    }

    macro_rules! forward {
        ($($method:ident($($arg:ident),*) = $intrinsic:ident),* $(,)?) => {
            $(#[inline(always)]
            unsafe fn $method($($arg: Self::V),*) -> Self::V {
                unsafe { $intrinsic($($arg),*) }
            })*
        };
    }

    /// The `f64` operations on two registers each.
    macro_rules! wide {
        ($half:ty, $each:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident) => {
            type Wide = [$half; 2];
            #[inline(always)]
            unsafe fn splat_wide(x: f64) -> Self::Wide {
                unsafe { [$splat(x); 2] }
            }
            #[inline(always)]
            unsafe fn load_wide(from: *const f64) -> Self::Wide {
                unsafe { [$load(from), $load(from.add($each))] }
            }
            #[inline(always)]
            unsafe fn store_wide(to: *mut f64, v: Self::Wide) {
                unsafe {
                    $store(to, v[0]);
                    $store(to.add($each), v[1]);
                }
            }
            #[inline(always)]
            unsafe fn add_wide(a: Self::Wide, b: Self::Wide) -> Self::Wide {
                unsafe { [$add(a[0], b[0]), $add(a[1], b[1])] }
            }
            #[inline(always)]
            unsafe fn sub_wide(a: Self::Wide, b: Self::Wide) -> Self::Wide {
                unsafe { [$sub(a[0], b[0]), $sub(a[1], b[1])] }
            }
        };
    }

    impl Simd for Avx2 {
        wide!(
            __m256d,
            4,
            _mm256_set1_pd,
            _mm256_loadu_pd,
            _mm256_storeu_pd,
            _mm256_add_pd,
            _mm256_sub_pd
        );
        #[inline(always)]
        unsafe fn widen(v: __m256) -> Self::Wide {
            unsafe {
                let high = _mm256_extractf128_ps::<1>(v);
                [_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(high)]
            }
        }
        type V = __m256;
        const LANES: usize = 8;
        const ROWS: usize = 6;
        const VECS: usize = 2;
        forward! {
            add(a, b) = _mm256_add_ps, sub(a, b) = _mm256_sub_ps, mul(a, b) = _mm256_mul_ps,
            min(a, b) = _mm256_min_ps, max(a, b) = _mm256_max_ps, fma(a, b, c) = _mm256_fmadd_ps,
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: __m256) {
            unsafe { _mm256_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn load_partial(from: *const f32, count: usize) -> __m256 {
            unsafe { _mm256_maskload_ps(from, mask256(count)) }
        }
        #[inline(always)]
        unsafe fn store_partial(to: *mut f32, count: usize, v: __m256) {
            unsafe { _mm256_maskstore_ps(to, mask256(count), v) }
        }
    }

    impl Simd for Avx512 {
        wide!(
            __m512d,
            8,
            _mm512_set1_pd,
            _mm512_loadu_pd,
            _mm512_storeu_pd,
            _mm512_add_pd,
            _mm512_sub_pd
        );
        #[inline(always)]
        unsafe fn widen(v: __m512) -> Self::Wide {
            unsafe {
                let high = _mm512_extractf32x8_ps::<1>(v);
                [_mm512_cvtps_pd(_mm512_castps512_ps256(v)), _mm512_cvtps_pd(high)]
            }
        }
        type V = __m512;
        const LANES: usize = 16;
        const ROWS: usize = 8;
        const VECS: usize = 3;
        forward! {
            add(a, b) = _mm512_add_ps, sub(a, b) = _mm512_sub_ps, mul(a, b) = _mm512_mul_ps,
            min(a, b) = _mm512_min_ps, max(a, b) = _mm512_max_ps, fma(a, b, c) = _mm512_fmadd_ps,
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> __m512 {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: __m512) {
            unsafe { _mm512_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn load_partial(from: *const f32, count: usize) -> __m512 {
            unsafe { _mm512_maskz_loadu_ps(mask512(count), from) }
        }
        #[inline(always)]
        unsafe fn store_partial(to: *mut f32, count: usize, v: __m512) {
            unsafe { _mm512_mask_storeu_ps(to, mask512(count), v) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// Calls `generic::<S>(x, y)` compiled for the instruction set of `level`.
///
/// `dispatch!(level, generic(a: A = x, b: B = y) -> R)` needs `unsafe fn generic<S: Simd>(a: A, b: B) -> R`
/// marked `#[inline(always)]`; the caller vouches for `generic`'s own contract.
macro_rules! dispatch {
    ($level:expr, $generic:ident($($arg:ident: $ty:ty = $value:expr),* $(,)?) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
            unsafe { $generic::<$crate::simd::Avx512>($($arg),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
            unsafe { $generic::<$crate::simd::Avx2>($($arg),*) }
        }
        match $level.kind() {
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Instructions::Avx512 => unsafe { avx512($($value),*) },
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Instructions::Avx2 => unsafe { avx2($($value),*) },
            #[cfg(target_arch = "aarch64")]
            $crate::simd::Instructions::Neon => unsafe { $generic::<$crate::simd::Neon>($($value),*) },
            $crate::simd::Instructions::Portable => unsafe {
                $generic::<$crate::simd::Portable>($($value),*)
            },
        }
    }};
}
pub(crate) use dispatch;
