-- SPDX-License-Identifier: BSD-2-Clause
-- What sqlite3 does for the benchmark: rows in memory, indexes, groups, text.
CREATE TABLE block (id INTEGER PRIMARY KEY, owner TEXT, size INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
INSERT INTO block SELECT i, 'owner ' || (i * 7919 % 1000), i * 31 % 4096,
	'a note of block ' || i || ' with some text in it' FROM n;
CREATE INDEX by_owner ON block (owner, size);
CREATE TABLE total AS SELECT owner, count(*) AS blocks, sum(size) AS bytes,
	group_concat(substr(note, 1, 20)) AS notes FROM block GROUP BY owner;
UPDATE block SET note = upper(note) || size WHERE size % 3 = 0;
SELECT count(*), max(length(notes)) FROM total;
SELECT count(*) FROM block a JOIN block b ON b.id = a.size WHERE a.note LIKE '%BLOCK 1%';
DELETE FROM block WHERE id % 2;
