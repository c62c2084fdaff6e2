-- Foreign tables of your own: a search with its settings fixed, ids of their own type, columns of the source:
--     .venv/bin/ruattn server psql demo -f examples/own_tables.sql

-- Articles with uuids for ids.
CREATE TABLE articles AS
SELECT md5(id::text)::uuid AS doc, title, body, embedding FROM documents;
ALTER TABLE articles ADD PRIMARY KEY (doc);

-- title and body are no results of a search: they are read from the rows that are found.
CREATE FOREIGN TABLE article_search (doc uuid, title text, body text, score real, query attention_vector, k int)
  SERVER ruattn
  OPTIONS (operation 'mha_search', table_name 'articles', id_column 'doc',
           attention_type 'cosine', temperature '0.05', k '5');

-- k is 5 unless the query says otherwise.
SELECT title, body, score FROM article_search WHERE query = (SELECT embedding FROM questions WHERE id = 6);
SELECT count(*) FROM article_search WHERE query = (SELECT embedding FROM questions WHERE id = 6) AND k = 100;

-- A table like this for every relation that has vectors.
CREATE SCHEMA attn;
IMPORT FOREIGN SCHEMA public LIMIT TO (documents, articles) FROM SERVER ruattn INTO attn
  OPTIONS (attention_type 'cosine', temperature '0.05');
SELECT title, score FROM attn.articles WHERE query = (SELECT embedding FROM questions WHERE id = 9) AND k = 3;

DROP SCHEMA attn CASCADE;
DROP FOREIGN TABLE article_search;
DROP TABLE articles;
