// Package pgsink writes the batches of a batcher to a table of PostgreSQL: by COPY in the binary
// format, encoded without an allocation per row, with every failure of the server told apart.
//
//	sink, err := pgsink.New(ctx, pool, pgx.Identifier{"events"}, []pgsink.Column[Event]{
//		pgsink.UUID("id", func(e *Event) [16]byte { return e.ID }),
//		pgsink.Timestamptz("at", func(e *Event) time.Time { return e.At }),
//		pgsink.Text("user_id", func(e *Event) string { return e.User }),
//		pgsink.JSON("details", appendDetails),
//	}, pgsink.OnConflictDoNothing("id"))
//	...
//	b, err := batcher.New(sink.Write, batcher.WithWorkers(4), batcher.WithRetry(10, backoff))
//
// The pool is one of github.com/jackc/pgx/v5/pgxpool, and stays the user's.
//
// # How a batch is written
//
// Every Write is one transaction, on one connection, in one round trip:
//
//   - COPY FROM STDIN in the binary format, as a rule;
//   - an INSERT of several rows for small batches, see [WithInsertBelow];
//   - COPY into a staging table and INSERT ... ON CONFLICT from there, see "Idempotent writes".
//
// A batch of more than 32 KiB is sent while it is still being encoded. All of it stays in a pooled
// buffer until the server has answered; buffers that a rare large batch has grown are let go.
//
// # Idempotent writes
//
// An error does not mean that nothing was written: a COPY whose context ended, or whose connection
// broke, may have been committed, and another attempt then writes it again. Give each item an id
// where it is made, declare it a key of the table, and say [OnConflictDoNothing] or
// [OnConflictUpdate]: then a batch may be written any number of times.
//
// Rows are copied into a temporary table and inserted from there, in one transaction and still
// one round trip. On 1000 rows that takes about 1.6 times as long as a COPY into the same table.
// The temporary table is made once for each connection, is empty between transactions, and is made
// again if it is gone (after DISCARD ALL, say). It needs the privilege TEMP in the database.
//
// It is made to work behind PgBouncer in transaction mode too, though not tested with it: a connection
// to the server that has no staging table yet gets one, in the transaction that misses it, and no
// prepared statement is used by Write.
//
// # What an error means
//
// The marks of package batcher say what another attempt is worth; [Classify] has the table.
//
//   - An item that cannot be encoded (out of the column's range, not UTF-8, a NUL character, too
//     long) fails alone, before anything of it is sent.
//   - A row that the server refuses, and of which it says the number, is taken out and the others
//     are sent again, within the same attempt: see [WithIsolation] and [RowError]. Where it does not
//     say the number, the batch fails for good, and batcher.WithBisect finds the item.
//   - If the server is down, starting, out of connections or of space, read-only, or if the network
//     fails, the batch is worth another attempt.
//   - If the table takes fewer rows than it was given, that is a [CountError].
//   - If the context ends in mid-write, pgx closes the connection, the pool replaces it, and the
//     error wraps the cause. The batch may have been written.
//
// Messages of the server may quote values of the rows. Passwords are never part of an error.
//
// # How many connections
//
// A Write holds one connection while it lasts. A pool with as many connections as there are
// workers leaves nothing to the rest of the program while all of them write: give the sink a pool
// of its own, or the shared one twice as many. [CheckPool] checks it.
//
// # What New checks
//
// [New] reads the table's columns, types, indexes and privileges, so that mistakes show at the start
// of the program and not in the first batch. It refuses, among others, columns that are not there or
// of another type, NOT NULL columns without a default that are not written, target columns without
// a unique index, temporary tables, views, tables with rules that only some of the batches would
// meet, missing privileges (SELECT on the target columns included), and deferrable constraints
// where no target columns are named.
package pgsink
