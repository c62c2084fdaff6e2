-- complain if the script is sourced in psql rather than run by ALTER EXTENSION
\echo Use "ALTER EXTENSION ruattn_fdw_pgvector UPDATE TO '0.2.0'" to load this file. \quit

