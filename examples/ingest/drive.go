package main

// The clients: they send events over HTTP, as anybody would, and keep the books.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// request is one event on its way to the service.
type request struct {
	event eventInput
	wait  bool
}

// driver sends requests over many connections.
type driver struct {
	url      string
	conns    int
	maxTries int
	ledger   *ledger
	done     atomic.Int64 // requests with a final answer, or none

	retried  atomic.Int64
	answered [2]*histogram // seconds until a 202, and until a 201

	mu       sync.Mutex     // guards the fields below
	troubles map[string]int // what else came back, and how often
}

func newDriver(url string, conns, maxTries int) *driver {
	return &driver{
		url:      url,
		conns:    conns,
		maxTries: maxTries,
		ledger:   newLedger(),
		answered: [2]*histogram{newLatencies(), newLatencies()},
		troubles: make(map[string]int),
	}
}

// drive sends everything that source yields, and returns how long that took. When
// ctx ends, requests that have begun come to their end, and no others begin.
//
// The source is read in its own goroutine. If it blocks, as a terminal does, drive
// does not wait for it once ctx has ended.
func (d *driver) drive(ctx context.Context, source iter.Seq[request]) time.Duration {
	began := time.Now()
	requests := make(chan request, d.conns) // from the source to whichever client is free
	go func() {
		defer close(requests)
		for r := range source {
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	var clients sync.WaitGroup
	for range d.conns {
		clients.Go(func() { d.serve(ctx, requests) })
	}
	clients.Wait()
	return time.Since(began)
}

// serve is one client, with a connection of its own.
func (d *driver) serve(ctx context.Context, requests <-chan request) {
	c := newWire(d.url, time.Minute)
	defer c.close()
	for {
		select {
		case <-ctx.Done():
			return
		case r, ok := <-requests:
			if !ok || ctx.Err() != nil { // a select with two ways open takes either
				return
			}
			d.send(ctx, c, r)
			d.done.Add(1)
		}
	}
}

// send sends one event until it has an answer other than 503, which means
// that the event was not accepted.
func (d *driver) send(ctx context.Context, c *wire, r request) {
	body, err := json.Marshal(r.event)
	if err != nil { // strings cannot fail
		d.trouble(err.Error())
		return
	}
	for try := 1; ; try++ {
		pause, again := d.post(c, r, body)
		switch {
		case !again:
			return
		case try == d.maxTries:
			d.trouble(fmt.Sprintf("given up after %d answers of 503", try))
			return
		case !sleep(ctx, pause):
			d.trouble("not sent again after a 503, because of the interrupt")
			return
		}
		d.retried.Add(1)
	}
}

// post sends one event once and enters the outcome into the books. It reports whether to
// send it again, and when.
func (d *driver) post(c *wire, r request, body []byte) (pause time.Duration, again bool) {
	path := "/event"
	if r.wait {
		path = "/event?wait=1"
	}
	began := time.Now()
	status, header, text, err := c.post(path, body)
	if err != nil {
		d.unanswered(r, err)
		return 0, false
	}
	switch status {
	case http.StatusAccepted:
		d.answered[0].observe(time.Since(began).Seconds())
		d.ledger.accept(r.event.ID)
	case http.StatusCreated:
		d.answered[1].observe(time.Since(began).Seconds())
		d.ledger.accept(r.event.ID)
	case http.StatusServiceUnavailable:
		return retryAfter(header), true
	default:
		if status >= 500 {
			d.ledger.leaveOpen(r.event.ID)
		}
		d.trouble(fmt.Sprintf("status %d: %s", status, bytes.TrimSpace(text)))
	}
	return 0, false
}

// unanswered books a request without an answer. Unless there was no connection at all,
// the event may have been accepted.
func (d *driver) unanswered(r request, err error) {
	if errors.Is(err, errNoConnection) {
		d.trouble("no connection")
		return
	}
	d.ledger.leaveOpen(r.event.ID)
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
		err = cause // the innermost one, without addresses, so that equal ones count as one
	}
	d.trouble(fmt.Sprintf("no answer (%v)", err))
}

// maxTroubles bounds the kinds of trouble that are told apart.
const maxTroubles = 20

func (d *driver) trouble(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.troubles[what]; !known && len(d.troubles) >= maxTroubles {
		what = "other troubles"
	}
	d.troubles[what]++
}

// retryAfter reads the header in seconds, a second if it is missing or odd, a
// minute at most. Up to a quarter more keeps the clients from coming back all at once.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		seconds = 1
	}
	pause := time.Duration(min(seconds, 60)) * time.Second
	return pause + rand.N(pause/4+1)
}

// sleep waits for d and reports true, or until ctx ends and reports false.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
