//! Sixteen numbers that are computed together, for each kind of processor.
//!
//! All unsafe code but the calls of what is compiled for a kind of processor is here: the
//! instructions of one kind, which only a processor that has them may meet. `kernel` uses a type of
//! these only in functions that are compiled for its instructions, and calls those only where the
//! processor was asked for them.

pub(crate) const LANES: usize = 16;

pub(crate) type Lanes = [f32; LANES];

/// What is computed with sixteen numbers.
pub(crate) trait Numbers: Copy {
    fn load(from: &Lanes) -> Self;
    fn store(self, into: &mut Lanes);
    fn splat(number: f32) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// This times `factor` plus `summand`.
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    fn clamp(self, lowest: f32, highest: f32) -> Self;
    /// 2^n, put together from its exponent, of n + 1.5 x 2^23.
    fn power(self) -> Self;
}

/// For any processor.
#[derive(Clone, Copy)]
pub(crate) struct Plain(Lanes);

/// Whether every processor of this kind multiplies and adds in one instruction: elsewhere,
/// `mul_add` is a slow call.
const HAS_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, function: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| {
            function(self.0[lane], other.0[lane])
        }))
    }
}

impl Numbers for Plain {
    #[inline(always)]
    fn load(from: &Lanes) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, into: &mut Lanes) {
        *into = self.0;
    }

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Self([number; LANES])
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        if HAS_FMA {
            let sum = |lane: usize| self.0[lane].mul_add(factor.0[lane], summand.0[lane]);
            Self(std::array::from_fn(sum))
        } else {
            self.mul(factor).add(summand)
        }
    }

    #[inline(always)]
    fn clamp(self, lowest: f32, highest: f32) -> Self {
        Self(self.0.map(|number| number.clamp(lowest, highest)))
    }

    #[inline(always)]
    fn power(self) -> Self {
        let power = |number: f32| (number.to_bits() << 23).wrapping_add(127 << 23);
        Self(self.0.map(|number| f32::from_bits(power(number))))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Lanes, Numbers};

    /// A register of AVX-512.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    // SAFETY, of all blocks below: the processor has the instructions, as the module's head says;
    // what is read and written lies in the arrays that are borrowed.
    impl Numbers for Avx512 {
        #[inline(always)]
        fn load(from: &Lanes) -> Self {
            Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
        }

        #[inline(always)]
        fn store(self, into: &mut Lanes) {
            unsafe { _mm512_storeu_ps(into.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn splat(number: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(number) })
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm512_sub_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm512_mul_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(unsafe { _mm512_div_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, summand: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, summand.0) })
        }

        #[inline(always)]
        fn clamp(self, lowest: f32, highest: f32) -> Self {
            let (lowest, highest) = (Self::splat(lowest), Self::splat(highest));
            Self(unsafe { _mm512_min_ps(_mm512_max_ps(self.0, lowest.0), highest.0) })
        }

        #[inline(always)]
        fn power(self) -> Self {
            unsafe {
                let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(self.0));
                let one = _mm512_castps_si512(_mm512_set1_ps(1.0));
                Self(_mm512_castsi512_ps(_mm512_add_epi32(shifted, one)))
            }
        }
    }

    /// Two registers of AVX2.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256, __m256);

    // SAFETY, of all blocks below: as above.
    impl Numbers for Avx2 {
        #[inline(always)]
        fn load(from: &Lanes) -> Self {
            let (low, high) = from.split_at(8);
            unsafe {
                Self(
                    _mm256_loadu_ps(low.as_ptr()),
                    _mm256_loadu_ps(high.as_ptr()),
                )
            }
        }

        #[inline(always)]
        fn store(self, into: &mut Lanes) {
            let (low, high) = into.split_at_mut(8);
            unsafe {
                _mm256_storeu_ps(low.as_mut_ptr(), self.0);
                _mm256_storeu_ps(high.as_mut_ptr(), self.1);
            }
        }

        #[inline(always)]
        fn splat(number: f32) -> Self {
            let register = unsafe { _mm256_set1_ps(number) };
            Self(register, register)
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe {
                Self(
                    _mm256_add_ps(self.0, other.0),
                    _mm256_add_ps(self.1, other.1),
                )
            }
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            unsafe {
                Self(
                    _mm256_sub_ps(self.0, other.0),
                    _mm256_sub_ps(self.1, other.1),
                )
            }
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            unsafe {
                Self(
                    _mm256_mul_ps(self.0, other.0),
                    _mm256_mul_ps(self.1, other.1),
                )
            }
        }

        #[inline(always)]
        fn div(self, other: Self) -> Self {
            unsafe {
                Self(
                    _mm256_div_ps(self.0, other.0),
                    _mm256_div_ps(self.1, other.1),
                )
            }
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, summand: Self) -> Self {
            unsafe {
                Self(
                    _mm256_fmadd_ps(self.0, factor.0, summand.0),
                    _mm256_fmadd_ps(self.1, factor.1, summand.1),
                )
            }
        }

        #[inline(always)]
        fn clamp(self, lowest: f32, highest: f32) -> Self {
            let (lowest, highest) = (Self::splat(lowest), Self::splat(highest));
            unsafe {
                Self(
                    _mm256_min_ps(_mm256_max_ps(self.0, lowest.0), highest.0),
                    _mm256_min_ps(_mm256_max_ps(self.1, lowest.1), highest.1),
                )
            }
        }

        #[inline(always)]
        fn power(self) -> Self {
            let power = |register| unsafe {
                let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(register));
                let one = _mm256_castps_si256(_mm256_set1_ps(1.0));
                _mm256_castsi256_ps(_mm256_add_epi32(shifted, one))
            };
            Self(power(self.0), power(self.1))
        }
    }
}
