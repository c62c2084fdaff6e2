/*
 * variants.h: includes BODY once for each instruction set that the machine may have.
 *
 * BODY finds NAME(x): x with the instruction set in its name. TARGET: the attribute of
 * functions that may use it. LANES: floats of a vector. EACH_LANE(x): x(0), x(1), ...
 * LOAD_FLOATS(p), LOAD_HALVES(p): a vector of floats from floats or halves in memory.
 * ROOT(v): the square roots of floats. LARGER(a, b): b where it is larger, else a, also where b is NaN.
 * WORDS: 16 bit integers taken at a time, LOAD_WORDS(p), LOAD_BYTES(p): from such or
 * from signed bytes. LOAD_SOME_...(p, n): the first n from there, zeros behind them;
 * LOAD_LAST_FLOATS(p, n): the last n of the vector there, zeros before them.
 * ADD_WORDS(sum, a, b): products of words added to LANES sums of 32 bits. ADD_SMALL(sum, a, b):
 * the same of four unsigned bytes below 128 in each lane of a with the signed ones of an integer.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE TARGET __attribute__((always_inline)) static inline
#define UNALIGNED(vector, p) (*(const vector *) (p))
/* The first n of `most` things from there, zeros behind them, as LOAD has it. */
#define COPIED(type, most, p, n, load) ({ \
	type		copied_[most] = {0}; \
	memcpy(copied_, (p), (n) * sizeof(type)); \
	load(copied_); })

#if defined(__x86_64__)
#include <immintrin.h>

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,prefer-vector-width=512")))
#define LANES 16
#define EACH_LANE(x) x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7), x(8), x(9), x(10), x(11), x(12), x(13), x(14), x(15)
#define LOAD_FLOATS(p) UNALIGNED(unaligned_avx512, p)
#define LOAD_SOME_FLOATS(p, n) ((vector_avx512) _mm512_maskz_loadu_ps((__mmask16) ((1u << (n)) - 1), (p)))
#define LOAD_LAST_FLOATS(p, n) ((vector_avx512) _mm512_maskz_loadu_ps((__mmask16) (0xffffu << (16 - (n))), (p)))
#define LARGER(a, b) ((vector_avx512) _mm512_max_ps((b), (a)))
#define ROOT(v) ((vector_avx512) _mm512_sqrt_ps(v))
#define LOAD_HALVES(p) ((vector_avx512) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) (p))))
#define WORDS 32
#define LOAD_WORDS(p) _mm512_loadu_si512(p)
#define LOAD_SOME_WORDS(p, n) _mm512_maskz_loadu_epi16((__mmask32) ((1u << (n)) - 1), (p))
#define LOAD_BYTES(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *) (p)))
#define LOAD_SOME_BYTES(p, n) _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8((__mmask32) ((1u << (n)) - 1), (p)))
#define ADD_WORDS(sum, a, b) ((lanes_avx512) _mm512_dpwssd_epi32((__m512i) (sum), (a), (b)))
#define ADD_SMALL(sum, a, b) ((lanes_avx512) _mm512_dpbusd_epi32((__m512i) (sum), (__m512i) (a), _mm512_set1_epi32(b)))
#include BODY
#include "variant_end.h"

static const int part_of_eight[24] = {[8] = -1, -1, -1, -1, -1, -1, -1, -1};

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LANES 8
#define EACH_LANE(x) x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7)
#define LOAD_FLOATS(p) UNALIGNED(unaligned_avx2, p)
#define LOAD_SOME_FLOATS(p, n) \
	((vector_avx2) _mm256_maskload_ps((p), _mm256_loadu_si256((const __m256i *) (part_of_eight + 16 - (n)))))
#define LOAD_LAST_FLOATS(p, n) \
	((vector_avx2) _mm256_maskload_ps((p), _mm256_loadu_si256((const __m256i *) (part_of_eight + (n)))))
#define LARGER(a, b) ((vector_avx2) _mm256_max_ps((b), (a)))
#define ROOT(v) ((vector_avx2) _mm256_sqrt_ps(v))
#define LOAD_HALVES(p) ((vector_avx2) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (p))))
#define WORDS 16
#define LOAD_WORDS(p) _mm256_loadu_si256((const __m256i *) (p))
#define LOAD_SOME_WORDS(p, n) COPIED(int16_t, 16, p, n, LOAD_WORDS)
#define LOAD_BYTES(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) (p)))
#define LOAD_SOME_BYTES(p, n) COPIED(int8_t, 16, p, n, LOAD_BYTES)
#define ADD_WORDS(sum, a, b) ((lanes_avx2) _mm256_add_epi32((__m256i) (sum), _mm256_madd_epi16((a), (b))))
#define ADD_SMALL(sum, a, b) \
	ADD_WORDS(sum, _mm256_maddubs_epi16((__m256i) (a), _mm256_set1_epi32(b)), _mm256_set1_epi16(1))
#include BODY
#include "variant_end.h"
#endif

/* 128 bits, which every processor that PostgreSQL runs on has in some form. */
typedef float four_floats __attribute__((vector_size(16)));
typedef int32_t four_ints __attribute__((vector_size(16)));
typedef int8_t four_bytes __attribute__((vector_size(4)));
typedef int16_t four_words __attribute__((vector_size(8)));
typedef uint16_t four_halves __attribute__((vector_size(8)));

static inline four_floats
load_four_halves(const void *p)
{
	four_halves halves;
	four_ints	wide;
	four_ints	sign;
	four_floats size;

	memcpy(&halves, p, sizeof(halves));
	wide = __builtin_convertvector(halves, four_ints);
	sign = (wide & 0x8000) << 16;
	/* as the bits of a float the exponent is 112 too small, which a product mends, of denormals too */
	size = (four_floats) ((wide & 0x7fff) << 13) * 0x1p112f;
	return (four_floats) ((four_ints) size | sign);
}

#define LOAD_FOUR(type, p) ({ \
	type		four_; \
	memcpy(&four_, (p), sizeof(four_)); \
	__builtin_convertvector(four_, four_ints); })

#define NAME(x) x##_four
#define TARGET
#define LANES 4
#define EACH_LANE(x) x(0), x(1), x(2), x(3)
#define LOAD_FLOATS(p) UNALIGNED(unaligned_four, p)
#define LOAD_SOME_FLOATS(p, n) ((vector_four) {(p)[0], (n) > 1 ? (p)[1] : 0, (n) > 2 ? (p)[2] : 0, 0})
#define LOAD_LAST_FLOATS(p, n) ((vector_four) {0, (n) > 2 ? (p)[1] : 0, (n) > 1 ? (p)[2] : 0, (p)[3]})
#define LARGER(a, b) ({ \
	vector_four a_ = (a); \
	vector_four b_ = (b); \
	lanes_four	more_ = b_ > a_; \
	(vector_four) (((lanes_four) b_ & more_) | ((lanes_four) a_ & ~more_)); })
#define ROOT(v) ((vector_four) {sqrtf((v)[0]), sqrtf((v)[1]), sqrtf((v)[2]), sqrtf((v)[3])})
#define LOAD_HALVES(p) ((vector_four) load_four_halves(p))
#define WORDS 4
#define LOAD_WORDS(p) LOAD_FOUR(four_words, p)
#define LOAD_SOME_WORDS(p, n) COPIED(int16_t, 4, p, n, LOAD_WORDS)
#define LOAD_BYTES(p) LOAD_FOUR(four_bytes, p)
#define LOAD_SOME_BYTES(p, n) COPIED(int8_t, 4, p, n, LOAD_BYTES)
#define ADD_WORDS(sum, a, b) ((sum) + (lanes_four) ((a) * (b)))
#define BYTE_PRODUCT(a, b, at) (((a) >> (at) & 255) * (int8_t) ((b) >> (at)))
#define ADD_SMALL(sum, a, b) \
	((sum) + BYTE_PRODUCT(a, b, 0) + BYTE_PRODUCT(a, b, 8) + BYTE_PRODUCT(a, b, 16) + BYTE_PRODUCT(a, b, 24))
#include BODY
#include "variant_end.h"

/* The instruction sets in the order of a table of what was made for each: the fastest first. */
enum InstructionSet
{
#if defined(__x86_64__)
	AVX512,
	AVX2,
#endif
	FOUR,
	INSTRUCTION_SETS
};

static const char *const instruction_set_names[] = {
#if defined(__x86_64__)
	"avx512", "avx2",
#endif
	"four"
};

/* Whether this processor, and the system's saving of its registers, has it. */
static inline int
has_instruction_set(int set)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (set == AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
	if (set == AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#endif
	return set == FOUR;
}

/* One value for each instruction set that this machine may have. */
#if defined(__x86_64__)
#define OF_EACH_SET(x) {x##_avx512, x##_avx2, x##_four}
#else
#define OF_EACH_SET(x) {x##_four}
#endif
