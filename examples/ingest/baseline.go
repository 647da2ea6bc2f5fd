package main

// What the service is compared with: itself as people write it first. Both variants keep the routes,
// the checks of the input and the statuses; they have the same database, table and HTTP server.
//
// naive, with -naive, is a handler that calls the database: encoding/json reads the body and writes
// the answer, and an INSERT through a pool of pgx's default size stores the event before it is
// answered 201. There is no batch. An event that cannot be stored is answered 500.
//
// plain, with -plain, is the batcher of the textbooks: the same handler with a timeout around a send
// to a channel, and one goroutine that collects what comes into a fresh slice, until it is full or
// a ticker ticks, and calls pgx.CopyFrom with a []any for each row. The collection goes on while a
// batch is written, in one goroutine per batch, as many as there are workers. What that does not have is
// what the library is for: no retry, nothing that makes a repeated write harmless, no rescue of
// what failed, no exact delay. It is a baseline for what a request costs, not a service.
//
// Optimised, and so neither naive nor plain: the body read in one piece into a recycled buffer, the
// decoder for plain JSON, the answer made in a recycled buffer, no timer while there is room, the
// batcher, and the sink with its recycled COPY stream.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// decodePlainly is what both variants read a body with.
func decodePlainly(w http.ResponseWriter, r *http.Request) (Event, int, error) {
	x := new(exchange) // not recycled
	if _, err := x.body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return Event{}, http.StatusRequestEntityTooLarge, err
		}
		return Event{}, http.StatusBadRequest, err
	}
	in, err := decodeAny(x.body.Bytes())
	if err != nil {
		return Event{}, http.StatusBadRequest, err
	}
	event, err := newEvent(in, x.body.Len())
	return event, http.StatusInternalServerError, err
}

// answerPlainly answers for an event.
func answerPlainly(w http.ResponseWriter, status int, event Event) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": event.ID.String()})
}

// postNaive stores one event and answers then.
func (s *service) postNaive(w http.ResponseWriter, r *http.Request) {
	event, status, err := decodePlainly(w, r)
	if err != nil {
		answerError(w, status, err)
		return
	}
	began := time.Now()
	err = s.store.Write(r.Context(), []Event{event})
	s.recorder.attempt(time.Since(began))
	if err != nil {
		answerError(w, http.StatusInternalServerError, err)
		return
	}
	answerPlainly(w, http.StatusCreated, event)
}

// insertEach stores each event by itself.
func (s *postgresStore) insertEach(ctx context.Context, events []Event) error {
	const insert = "INSERT INTO events (id, time, client_id, user_id, action, metadata) " +
		"VALUES ($1, $2, $3, $4, $5, $6)"
	for _, e := range events {
		_, err := s.writer.Exec(ctx, insert, e.ID, e.Time, e.ClientID, e.UserID, e.Action, metadataOf(e))
		if err != nil {
			return err
		}
	}
	return nil
}

// metadataOf keeps an event without metadata from being stored with the JSON value null.
func metadataOf(e Event) map[string]string {
	if e.Metadata == nil {
		return map[string]string{}
	}
	return e.Metadata
}

// loop is the batcher of the textbooks.
type loop struct {
	events   chan Event
	workers  chan struct{} // a place for each batch that is being written
	store    store
	recorder *recorder
	failed   func(err error, events []Event)
	running  sync.WaitGroup
}

func startLoop(s *service) *loop {
	l := &loop{
		events:   make(chan Event, 2*s.cfg.size),
		workers:  make(chan struct{}, s.cfg.workers),
		store:    s.store,
		recorder: s.recorder,
		failed: func(err error, events []Event) {
			s.log.Error("EVENTS LOST", "events", len(events), "error", err)
		},
	}
	l.running.Go(func() { l.collect(s.cfg.size, s.cfg.delay) })
	return l
}

// collect makes batches until the channel is closed.
func (l *loop) collect(size int, delay time.Duration) {
	ticker := time.NewTicker(delay)
	defer ticker.Stop()
	var batch []Event
	for {
		select {
		case e, open := <-l.events:
			if !open {
				l.flush(batch)
				return
			}
			if batch = append(batch, e); len(batch) >= size {
				l.flush(batch)
				batch = nil
			}
		case <-ticker.C:
			l.flush(batch)
			batch = nil
		}
	}
}

// flush writes a batch in its own goroutine, once there is a place for it.
func (l *loop) flush(batch []Event) {
	if len(batch) == 0 {
		return
	}
	l.workers <- struct{}{}
	l.running.Go(func() {
		defer func() { <-l.workers }()
		began := time.Now()
		err := l.store.Write(context.Background(), batch)
		l.recorder.attempt(time.Since(began))
		if err != nil {
			l.failed(err, batch)
		}
	})
}

// close writes the rest. Nobody may add any more.
func (l *loop) close() {
	if l != nil {
		close(l.events)
		l.running.Wait()
	}
}

// postPlain hands an event to the loop.
func (s *service) postPlain(w http.ResponseWriter, r *http.Request) {
	event, status, err := decodePlainly(w, r)
	if err != nil {
		answerError(w, status, err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.roomWait, errNoRoom)
	defer cancel()
	select {
	case s.loop.events <- event:
		answerPlainly(w, http.StatusAccepted, event)
	case <-ctx.Done():
		s.answerRefusal(w, context.Cause(ctx))
	}
}

// copyRows stores the events with COPY.
func (s *postgresStore) copyRows(ctx context.Context, events []Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{e.ID, e.Time, e.ClientID, e.UserID, e.Action, metadataOf(e)}
	}
	_, err := s.writer.CopyFrom(ctx, pgx.Identifier{"events"}, eventColumns, pgx.CopyFromRows(rows))
	return err
}
