-- The foreign data wrapper and the server that the tables belong to.

CREATE FUNCTION ruattn_fdw_handler() RETURNS fdw_handler
    AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION ruattn_fdw_handler() IS 'handler of the foreign data wrapper ruattn_fdw';

CREATE FUNCTION ruattn_fdw_validator(text[], oid) RETURNS void
    AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION ruattn_fdw_validator(text[], oid) IS 'checks the options of foreign tables';

CREATE FOREIGN DATA WRAPPER ruattn_fdw HANDLER ruattn_fdw_handler VALIDATOR ruattn_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER ruattn_fdw IS 'attention as virtual tables';

CREATE SERVER ruattn FOREIGN DATA WRAPPER ruattn_fdw;
COMMENT ON SERVER ruattn IS 'this database; its foreign tables read with the privileges of whoever asks';

-- Tables of this server give nobody anything that he could not read himself.
GRANT USAGE ON FOREIGN SERVER ruattn TO PUBLIC;
