package main

// The HTTP side: requests in, status codes out.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-4c1eaf8a/batcher"
)

// routes returns the handler of everything. The patterns give 404 and 405.
func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /event", map[mode]http.HandlerFunc{
		batched: s.postEvent, naive: s.postNaive, plain: s.postPlain,
	}[s.cfg.mode])
	mux.HandleFunc("GET /healthz", s.getHealth)
	mux.Handle("GET /metrics", s.metrics)
	mux.Handle("/debug/batcher/", s.page) // on a port that strangers reach, behind authentication
	return mux
}

// Why a request's context ended, to tell it from a client that went away.
var (
	errNoRoom      = errors.New("no room")
	errWaitedEnds  = errors.New("waited long enough")
	errStoreSilent = errors.New("the store did not answer in time")
)

// postEvent accepts one event: 202, or with ?wait=1 201 once it is stored. The
// answers are
//
//	400, 413   the event is not acceptable
//	503        the event was not accepted, try again after Retry-After
//	500        (wait=1) it was accepted and could not be stored
//	504        (wait=1) it was accepted and is not stored yet
func (s *service) postEvent(w http.ResponseWriter, r *http.Request) {
	wait, err := wantsWait(r)
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	x := exchanges.Get().(*exchange)
	defer x.recycle()
	event, status, err := x.readEvent(w, r)
	if err != nil {
		answerError(w, status, err)
		return
	}
	if wait {
		s.addAndWait(w, r, event)
	} else {
		s.add(w, r, x, event)
	}
}

// wantsWait reads the query.
func wantsWait(r *http.Request) (bool, error) {
	if r.URL.RawQuery == "" {
		return false, nil
	}
	switch wait := r.URL.Query().Get("wait"); wait {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	default:
		return false, fmt.Errorf("wait must be 0 or 1, not %q", wait)
	}
}

// exchange is what one request and its answer need besides the event.
type exchange struct {
	body   bytes.Buffer
	answer []byte
}

// exchanges recycles them: pointers, and each goes back where it came from.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// recycle gives x back, unless a rare large body has made it large.
func (x *exchange) recycle() {
	if x.body.Cap() <= 4<<10 {
		x.body.Reset()
		exchanges.Put(x)
	}
}

// readEvent reads the body and stamps the event. The status belongs to the error.
func (x *exchange) readEvent(w http.ResponseWriter, r *http.Request) (event Event, status int, err error) {
	if err := x.readBody(w, r); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return event, http.StatusRequestEntityTooLarge,
				fmt.Errorf("the body is longer than %d bytes", tooLarge.Limit)
		}
		return event, http.StatusBadRequest, errors.New("the body could not be read")
	}
	in, err := decodeEvent(x.body.Bytes()) // copies what it keeps
	if err != nil {
		return event, http.StatusBadRequest, err
	}
	event, err = newEvent(in, x.body.Len())
	return event, http.StatusInternalServerError, err
}

// readBody reads the body. If the client has said how long it is, net/http sees to it
// that it is not longer, and it is read in one piece.
func (x *exchange) readBody(w http.ResponseWriter, r *http.Request) error {
	if n := int(r.ContentLength); n >= 0 && r.ContentLength <= maxBody {
		x.body.Grow(n)
		text := x.body.AvailableBuffer()[:n]
		if _, err := io.ReadFull(r.Body, text); err != nil {
			return err
		}
		_, _ = x.body.Write(text) // where it is already
		return nil
	}
	_, err := x.body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	return err
}

// add hands the event to the batcher. There is room, as a rule; only if there is none, a moment is
// waited for it, and a deadline and its timer are made.
func (s *service) add(w http.ResponseWriter, r *http.Request, x *exchange, event Event) {
	err := s.batcher.TryAdd(event)
	if errors.Is(err, batcher.ErrFull) {
		err = s.addPatiently(r.Context(), event)
	}
	if err != nil {
		s.answerRefusal(w, err)
		return
	}
	x.answerID(w, http.StatusAccepted, event.ID)
}

// addPatiently waits for room for a moment.
func (s *service) addPatiently(ctx context.Context, event Event) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.roomWait, errNoRoom)
	defer cancel()
	return s.batcher.Add(ctx, event)
}

// addAndWait also waits for the event's own fate. It uses Submit rather than
// AddWait, because the time for room and the time for the write are bounded
// apart, and a client must be told an event that was not accepted from one whose
// fate is open.
func (s *service) addAndWait(w http.ResponseWriter, r *http.Request, event Event) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.roomWait, errNoRoom)
	defer cancel()
	receipt, err := s.batcher.Submit(ctx, event)
	if err != nil {
		s.answerRefusal(w, err)
		return
	}
	ctx, cancel = context.WithTimeoutCause(r.Context(), s.cfg.waitLimit, errWaitedEnds)
	defer cancel()
	err = receipt.Wait(ctx)
	var failure *batcher.FlushError
	switch {
	case err == nil:
		answerID(w, http.StatusCreated, event.ID)
	case errors.As(err, &failure):
		answerError(w, http.StatusInternalServerError,
			fmt.Errorf("event %v was accepted but could not be stored: %w", event.ID, failure.Err))
	case errors.Is(err, batcher.ErrClosed):
		answerError(w, http.StatusInternalServerError,
			fmt.Errorf("event %v was accepted but the service ended before it was stored", event.ID))
	default:
		answerError(w, http.StatusGatewayTimeout,
			fmt.Errorf("event %v was accepted but is not stored yet", event.ID))
	}
}

// answerRefusal answers for an event that the batcher did not accept. If it is the
// client that went away, nobody reads the answer.
func (s *service) answerRefusal(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "1")
	switch {
	case errors.Is(err, batcher.ErrClosed):
		err = errors.New("shutting down")
	case errors.Is(err, errNoRoom):
		err = errors.New("too busy: the store is slower than its clients")
	}
	answerError(w, http.StatusServiceUnavailable, err)
}

// getHealth asks the store, through a way that batches do not block.
func (s *service) getHealth(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		answerError(w, http.StatusServiceUnavailable, errors.New("shutting down"))
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.healthLimit, errStoreSilent)
	defer cancel()
	err := s.store.Check(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		answerError(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

// jsonType is shared by all answers; net/http only reads it.
var jsonType = []string{"application/json"}

// answerID answers for an accepted event, as the function of that name, without allocations.
func (x *exchange) answerID(w http.ResponseWriter, status int, id uuid.UUID) {
	x.answer = append(x.answer[:0], `{"id":"`...)
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			x.answer = append(x.answer, '-')
		}
		x.answer = append(x.answer, hexDigits[b>>4], hexDigits[b&15])
	}
	x.answer = append(x.answer, "\"}\n"...)
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(x.answer)
}

const hexDigits = "0123456789abcdef"

// answerID answers for an accepted event.
func answerID(w http.ResponseWriter, status int, id uuid.UUID) {
	answer(w, status, []byte(`{"id":"`+id.String()+`"}`))
}

// answerError answers with the error in words.
func answerError(w http.ResponseWriter, status int, err error) {
	body, _ := json.Marshal(map[string]string{"error": err.Error()}) // strings cannot fail
	answer(w, status, body)
}

// answer writes a JSON body. If the client is gone, so is the answer.
func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
