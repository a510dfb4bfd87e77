-- SQLite only: there the table of links becomes its own index, which PostgreSQL has no such form for.
SELECT 1;
