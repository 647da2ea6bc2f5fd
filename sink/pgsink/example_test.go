package pgsink_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// Login is what the examples write, to a table made by
//
//	CREATE TABLE audit.logins (
//		id      uuid PRIMARY KEY,
//		at      timestamptz NOT NULL,
//		user_id text NOT NULL,
//		tries   smallint NOT NULL,
//		ended   timestamptz,
//		details jsonb NOT NULL
//	)
type Login struct {
	ID      [16]byte
	At      time.Time
	UserID  string
	Tries   int
	Ended   time.Time // zero: not yet
	Details map[string]string
}

var logins = []pgsink.Column[Login]{
	pgsink.UUID("id", func(l *Login) [16]byte { return l.ID }),
	pgsink.Timestamptz("at", func(l *Login) time.Time { return l.At }),
	pgsink.Text("user_id", func(l *Login) string { return l.UserID }),
	pgsink.Int("tries", func(l *Login) int64 { return int64(l.Tries) }),
	pgsink.Timestamptz("ended", func(l *Login) time.Time { return l.Ended }).
		NullIf(func(l *Login) bool { return l.Ended.IsZero() }),
	pgsink.JSONValue("details", func(l *Login) any { return l.Details }),
}

func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.internal/app?pool_max_conns=4")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	sink, err := pgsink.New(ctx, pool, pgx.Identifier{"audit", "logins"}, logins)
	if err != nil {
		log.Fatal(err) // says everything that does not fit the table
	}
	b, err := batcher.New(sink.Write,
		batcher.WithWorkers(4),
		batcher.WithRetry(10, batcher.ExponentialBackoff(100*time.Millisecond, 10*time.Second)),
		batcher.WithBisect(),
		batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[Login]) {
			log.Printf("%d logins were not written: %v", len(letter.Items), letter.Err)
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := b.Add(ctx, Login{UserID: "ada", At: time.Now()}); err != nil {
		log.Print(err)
	}
	if err := b.Close(ctx); err != nil {
		log.Print(err)
	}
}

// A retry of a batch that was written after all writes nothing twice, if each item has a key that
// its producer has given.
func Example_idempotent() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	sink, err := pgsink.New(ctx, pool, pgx.Identifier{"audit", "logins"}, logins,
		pgsink.OnConflictDoNothing("id"))
	if err != nil {
		log.Fatal(err)
	}
	b, err := batcher.New(sink.Write)
	if err != nil {
		log.Fatal(err)
	}
	_ = b.Close(ctx)
}

// The latest state of each key is kept: an upsert. One worker keeps batches in order.
func Example_upsert() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	sink, err := pgsink.New(ctx, pool, pgx.Identifier{"audit", "logins"}, logins,
		pgsink.OnConflictUpdate([]string{"id"}, "ended", "details"))
	if err != nil {
		log.Fatal(err)
	}
	b, err := batcher.New(sink.Write, batcher.WithWorkers(1))
	if err != nil {
		log.Fatal(err)
	}
	_ = b.Close(ctx)
}

// The sink has a pool of its own, as large as the batcher has workers, so that neither the sink nor
// the rest of the program can take connections from the other.
func Example_ownPool() {
	const workers = 4
	ctx := context.Background()
	config, err := pgxpool.ParseConfig("postgres://app@db.internal/app")
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = workers
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if err := pgsink.CheckPool(pool, workers, 0); err != nil {
		log.Fatal(err)
	}
}

// What does not fit one batcher's pool is said before it starves anybody.
func ExampleCheckPool() {
	pool, err := pgxpool.New(context.Background(), "postgres://app@127.0.0.1/app?pool_max_conns=4")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	err = pgsink.CheckPool(pool, 4, 2)
	fmt.Println(errors.Is(err, batcher.ErrConfig))
	// Output: true
}

// A flush function with statements of its own sorts its errors as the sink does.
func ExampleClassify() {
	duplicate := pgsink.Classify(&pgconn.PgError{Code: "23505"})
	crowded := pgsink.Classify(&pgconn.PgError{Code: "53300"})
	deadlock := pgsink.Classify(&pgconn.PgError{Code: "40P01"})
	wait, _ := batcher.RetryDelay(crowded)
	fmt.Println(batcher.IsPermanent(duplicate), wait, batcher.IsPermanent(deadlock))
	// Output: true 1s false
}

// JSON that is written by hand, or by a generated encoder, is several times faster than
// encoding/json, and allocates nothing.
func ExampleJSON() {
	type Visit struct {
		Path string
		Ms   int
	}
	_ = []pgsink.Column[Visit]{
		pgsink.JSON("details", func(dst []byte, v *Visit) ([]byte, error) {
			path, err := json.Marshal(v.Path) // strconv.AppendQuote is not JSON's quoting
			if err != nil {
				return nil, err
			}
			dst = append(dst, `{"path":`...)
			dst = append(dst, path...)
			dst = append(dst, `,"ms":`...)
			dst = strconv.AppendInt(dst, int64(v.Ms), 10)
			return append(dst, '}'), nil
		}),
	}
}

// Raw writes types that have no function of their own, such as point: two numbers.
func ExampleRaw() {
	type Place struct{ Lon, Lat [8]byte } // big-endian, for the sake of a short example
	_ = pgsink.Raw("position", "point", func(dst []byte, p *Place) ([]byte, error) {
		dst = append(dst, p.Lon[:]...)
		return append(dst, p.Lat[:]...), nil
	})
}

// The rows that the server has refused are in the dead letters, with the reason.
func ExampleRowError() {
	_ = batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[Login]) {
		var row *pgsink.RowError
		if errors.As(letter.Err, &row) && row.Constraint == "logins_pkey" {
			return // known already
		}
		log.Printf("%d logins were not written: %v", len(letter.Items), letter.Err)
	})
}
