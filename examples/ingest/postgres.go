package main

// The store on a PostgreSQL server.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// postgresStore has two pools, so that neither batches nor reads can take all connections from the
// other: a health check answers while all batches hang.
type postgresStore struct {
	writer *pgxpool.Pool
	reader *pgxpool.Pool
	write  batcher.FlushFunc[Event]
}

// eventColumns are those of the table, in the order in which they are written.
var eventColumns = []string{"id", "time", "client_id", "user_id", "action", "metadata"}

const postgresSchema = `CREATE TABLE IF NOT EXISTS events (
	id        uuid        NOT NULL PRIMARY KEY,
	time      timestamptz NOT NULL,
	client_id text        NOT NULL,
	user_id   text        NOT NULL,
	action    text        NOT NULL,
	metadata  jsonb       NOT NULL
)`

// Bounds on what a server may take that does not answer; pgx has none, or long ones.
const (
	connectLimit = 5 * time.Second
	pingLimit    = 2 * time.Second
	openLimit    = 10 * time.Second
)

// openPostgres connects to the server and makes the table if need be. Of the mode it takes how
// events are written.
func openPostgres(ctx context.Context, dsn string, m mode, workers int) (store, error) {
	s := &postgresStore{}
	var err error
	if s.reader, err = openPool(ctx, dsn, func(c *pgxpool.Config) {
		c.MaxConns = 2
		// A connection that the server has closed must not make it look dead.
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	}); err != nil {
		return nil, err
	}
	if s.writer, err = openPool(ctx, dsn, func(c *pgxpool.Config) {
		if m == batched {
			// Twice the workers: when a batch breaks its connection, the next one
			// does not wait until that has been cleared away.
			c.MaxConns = int32(2 * workers)
		}
	}); err == nil {
		err = s.prepare(ctx, m)
	}
	if err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// openPool opens a pool with a change to what the connection string says.
func openPool(ctx context.Context, dsn string, change func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	c, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if c.ConnConfig.ConnectTimeout == 0 || c.ConnConfig.ConnectTimeout > connectLimit {
		c.ConnConfig.ConnectTimeout = connectLimit
	}
	c.PingTimeout = pingLimit
	change(c)
	return pgxpool.NewWithConfig(ctx, c)
}

// parseDSN reads a connection string. A password such as 12/sesame that is not percent-encoded
// makes a URL of port 12 and of a database whose name has the rest, which all messages would show.
func parseDSN(dsn string) (*pgxpool.Config, error) {
	if u, err := url.Parse(dsn); err == nil && u.User == nil && strings.Contains(u.EscapedPath(), "@") {
		return nil, explainDSN(dsn, errors.New("an @ in the database's name"))
	}
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, explainDSN(dsn, err)
	}
	return c, nil
}

// explainDSN says what is wrong with a connection string, without quoting it. Of a URL that can be
// taken apart it is known what the password is, and that the reason does not contain it. Of others
// it is not, so they get no reason.
func explainDSN(dsn string, err error) error {
	_, reason, found := strings.Cut(err.Error(), "`: ") // pgx quotes the string before that
	u, urlErr := url.Parse(dsn)
	if found && urlErr == nil && u.Host != "" && !u.Query().Has("password") {
		password, given := u.User.Password()
		if !given || password != "" && !strings.Contains(reason, password) {
			return fmt.Errorf("the connection string cannot be read: %s", reason)
		}
	}
	return errors.New("the connection string cannot be read: it should be a URL such as " +
		"postgres://USER:PASSWORD@HOST:5432/DATABASE, with special characters of the password " +
		"percent-encoded, or a list such as host=HOST user=USER dbname=DATABASE")
}

// postgresName says which database it is: host, port and name, and nothing of the rest.
func postgresName(dsn string) string {
	c, err := parseDSN(dsn)
	if err != nil {
		return "given with -postgres"
	}
	at := net.JoinHostPort(c.ConnConfig.Host, strconv.Itoa(int(c.ConnConfig.Port)))
	return "postgres://" + at + "/" + c.ConnConfig.Database
}

// prepare makes the table, sees whether it is the right one, and chooses how to write.
func (s *postgresStore) prepare(ctx context.Context, m mode) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	if _, err := s.reader.Exec(ctx, postgresSchema); err != nil {
		return err
	}
	const query = "SELECT id, time, client_id, user_id, action, metadata FROM events LIMIT 0"
	if _, err := s.reader.Exec(ctx, query); err != nil {
		return fmt.Errorf("the table events is another one: %w", err)
	}
	switch m {
	case naive:
		s.write = s.insertEach
	case plain:
		s.write = s.copyRows
	default:
		return s.useSink(ctx)
	}
	return nil
}

// useSink makes the sink. It skips events whose id is there already, so that a batch of which it is not
// known whether it was written may be written again.
func (s *postgresStore) useSink(ctx context.Context) error {
	sink, err := pgsink.New(ctx, s.writer, pgx.Identifier{"events"}, []pgsink.Column[Event]{
		pgsink.UUID("id", func(e *Event) [16]byte { return e.ID }),
		pgsink.Timestamptz("time", func(e *Event) time.Time { return e.Time }),
		pgsink.Text("client_id", func(e *Event) string { return e.ClientID }),
		pgsink.Text("user_id", func(e *Event) string { return e.UserID }),
		pgsink.Text("action", func(e *Event) string { return e.Action }),
		pgsink.JSON("metadata", func(to []byte, e *Event) ([]byte, error) {
			return appendMetadata(to, e.Metadata), nil
		}),
	}, pgsink.OnConflictDoNothing("id"))
	if err == nil {
		s.write = sink.Write
	}
	return err
}

// Write stores the events.
func (s *postgresStore) Write(ctx context.Context, events []Event) error { return s.write(ctx, events) }

// Check reads through a connection that no batch uses.
func (s *postgresStore) Check(ctx context.Context) error {
	return checked(s.reader.QueryRow(ctx, checkSQL))
}

// ClientIDs reads the table once.
func (s *postgresStore) ClientIDs(ctx context.Context, visit func(id string)) error {
	rows, err := s.reader.Query(ctx, idsSQL)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer rows.Close()
	return visitIDs(rows, visit)
}

// Close waits for connections that are in use.
func (s *postgresStore) Close() error {
	for _, pool := range []*pgxpool.Pool{s.reader, s.writer} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}
