-- Operators of attention_vector with itself: those of the array that it is, so that IN (SELECT ...), EXISTS, GROUP BY and
-- joins work. The only operators with an array on the other side are `=`, and none names an array type: an exact match with
-- one would win over anyarray = anyarray, so that users' own '{1,2}' = column would no longer resolve as before.

CREATE FUNCTION attention_vector_eq(attention_vector, attention_vector) RETURNS boolean
    AS 'array_eq' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, attention_vector) IS 'implementation of =';

CREATE FUNCTION attention_vector_ne(attention_vector, attention_vector) RETURNS boolean
    AS 'array_ne' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_ne(attention_vector, attention_vector) IS 'implementation of <>';

CREATE FUNCTION attention_vector_lt(attention_vector, attention_vector) RETURNS boolean
    AS 'array_lt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_lt(attention_vector, attention_vector) IS 'implementation of <';

CREATE FUNCTION attention_vector_le(attention_vector, attention_vector) RETURNS boolean
    AS 'array_le' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_le(attention_vector, attention_vector) IS 'implementation of <=';

CREATE FUNCTION attention_vector_ge(attention_vector, attention_vector) RETURNS boolean
    AS 'array_ge' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_ge(attention_vector, attention_vector) IS 'implementation of >=';

CREATE FUNCTION attention_vector_gt(attention_vector, attention_vector) RETURNS boolean
    AS 'array_gt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_gt(attention_vector, attention_vector) IS 'implementation of >';

CREATE FUNCTION attention_vector_cmp(attention_vector, attention_vector) RETURNS integer
    AS 'btarraycmp' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_cmp(attention_vector, attention_vector) IS 'comparison for btree: -1, 0 or 1';

CREATE FUNCTION attention_vector_hash(attention_vector) RETURNS integer
    AS 'hash_array' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_hash(attention_vector) IS 'hash';

CREATE FUNCTION attention_vector_hash_extended(attention_vector, bigint) RETURNS bigint
    AS 'hash_array_extended' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_hash_extended(attention_vector, bigint) IS 'hash with a seed';

CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel,
    HASHES, MERGES
);
COMMENT ON OPERATOR = (attention_vector, attention_vector) IS 'equal';

CREATE OPERATOR <> (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (attention_vector, attention_vector) IS 'not equal';

CREATE OPERATOR < (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (attention_vector, attention_vector) IS 'less than, element by element';

CREATE OPERATOR <= (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (attention_vector, attention_vector) IS 'less than or equal, element by element';

CREATE OPERATOR >= (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (attention_vector, attention_vector) IS 'greater than or equal, element by element';

CREATE OPERATOR > (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (attention_vector, attention_vector) IS 'greater than, element by element';

CREATE OPERATOR CLASS attention_vector_ops DEFAULT FOR TYPE attention_vector USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 attention_vector_cmp(attention_vector, attention_vector);
COMMENT ON OPERATOR FAMILY attention_vector_ops USING btree IS 'order of attention_vector';
COMMENT ON OPERATOR CLASS attention_vector_ops USING btree IS 'order of attention_vector: GROUP BY, merge joins';

CREATE OPERATOR CLASS attention_vector_ops DEFAULT FOR TYPE attention_vector USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 attention_vector_hash(attention_vector),
    FUNCTION 2 attention_vector_hash_extended(attention_vector, bigint);
COMMENT ON OPERATOR FAMILY attention_vector_ops USING hash IS 'hashing of attention_vector';
COMMENT ON OPERATOR CLASS attention_vector_ops USING hash IS 'hashing of attention_vector: IN (SELECT ...), hash joins';

CREATE FUNCTION attention_vector_eq(attention_vector, anyarray) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_eq_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, anyarray) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = anyarray, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, anyarray) IS 'equal once both are attention_vector';

CREATE FUNCTION attention_vector_eq(anyarray, attention_vector) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_array_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(anyarray, attention_vector) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = anyarray, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (anyarray, attention_vector) IS 'equal once both are attention_vector';
