"""The catalogue in SQL, as the bundled host tells it."""

from __future__ import annotations

RELATION_KINDS = ("id", "text", "text", "text", "float")
RELATION = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)
"""

# 1021 real[], 1022 double precision[], 21 23 20 the integers, 25 1043 1042 19 the texts
COLUMNS = """
WITH RECURSIVE bases AS (
    SELECT a.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typelem
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
    WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0
    UNION ALL
    SELECT b.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typelem
    FROM bases b JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) b.typbasetype
), packed AS (
    SELECT d.objid, t.typname
    FROM pg_catalog.pg_depend d
         JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
         JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) d.objid
    WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
      AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
      AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'vector'
      AND t.typname OPERATOR(pg_catalog.=) ANY ('{vector,halfvec}')
)
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN b.oid OPERATOR(pg_catalog.=) 1021 THEN 'real[]'
            WHEN b.oid OPERATOR(pg_catalog.=) 1022 THEN 'double precision[]'
            WHEN b.oid OPERATOR(pg_catalog.=) ANY ('{20,21,23}') THEN 'integer'
            WHEN b.oid OPERATOR(pg_catalog.=) ANY ('{19,25,1042,1043}') THEN 'text'
            WHEN p.objid OPERATOR(pg_catalog.=) b.oid THEN p.typname
            WHEN p.objid OPERATOR(pg_catalog.=) b.typelem THEN pg_catalog.concat(p.typname, '[]')
            ELSE 'other' END
FROM pg_catalog.pg_attribute a
     JOIN bases b ON b.attnum OPERATOR(pg_catalog.=) a.attnum AND b.typtype OPERATOR(pg_catalog.<>) 'd'
     LEFT JOIN packed p ON p.objid OPERATOR(pg_catalog.=) b.oid OR p.objid OPERATOR(pg_catalog.=) b.typelem
WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND NOT a.attisdropped
ORDER BY a.attnum
"""

PRIMARY_KEY = """
SELECT a.attname
FROM pg_catalog.pg_constraint c
     JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.conrelid
          AND a.attnum OPERATOR(pg_catalog.=) ANY (c.conkey)
WHERE c.conrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND c.contype OPERATOR(pg_catalog.=) 'p'
"""
