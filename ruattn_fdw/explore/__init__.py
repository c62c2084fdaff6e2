"""``ruattn explore``: one page on which a person searches, looks at the heads, and takes the SQL along."""
