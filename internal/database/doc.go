// Package database opens the SQL database that Corehour keeps its projections
// and documents in: SQLite inside the process, or a PostgreSQL server.
//
// It owns connections, transactions, migrations and bulk inserts. It does not
// own any table: every package brings its own migrations and queries.
//
// What always holds:
//   - One set of queries serves both. They use $1 placeholders in rising order,
//     BIGINT, TEXT, ON CONFLICT, RETURNING and CAST(SUM(x) AS BIGINT), which is
//     the subset that both databases read alike. Arguments are int64, string or
//     nil: an identifier such as corehour.LeaseID, a number that writes itself
//     as a word, becomes a number in SQLite and a word in a TEXT column of
//     PostgreSQL.
//   - What Write has returned nil for is on disk: SQLite runs with
//     synchronous=FULL, PostgreSQL with its default synchronous_commit.
//   - Reader refuses to write, on both databases.
package database
