/* variant_end.h: what variants.h defined for one instruction set is taken back. */
#undef NAME
#undef TARGET
#undef LANES
#undef EACH_LANE
#undef LOAD_FLOATS
#undef LOAD_SOME_FLOATS
#undef LOAD_LAST_FLOATS
#undef LOAD_HALVES
#undef LARGER
#undef ROOT
#undef WORDS
#undef LOAD_WORDS
#undef LOAD_SOME_WORDS
#undef LOAD_BYTES
#undef LOAD_SOME_BYTES
#undef ADD_WORDS
#undef ADD_SMALL
