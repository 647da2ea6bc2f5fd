package main

// The last resort: a file for accepted events that could not be stored.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// rescue appends events to a file that it makes when the first one comes. Each line
// is a [rescued] event as JSON.
type rescue struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex // guards file; held while writing, which nobody is in a hurry for
	file *os.File
}

// rescued is one line of the file. Its member event is a valid body of POST /event.
type rescued struct {
	// Outcome is "failed" (given up by the batcher), "unflushed" (never tried) or
	// "unknown" (tried, and perhaps stored: look for StoreID).
	Outcome string     `json:"outcome"`
	Cause   string     `json:"cause"`
	StoreID string     `json:"store_id"`
	Time    time.Time  `json:"time"`
	Event   eventInput `json:"event"`
}

// save writes the events and tells of them. If the file fails too, they go to the log.
func (r *rescue) save(outcome string, events []Event, cause error) {
	if len(events) == 0 {
		return
	}
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	for _, e := range events {
		// Strings and a time of this century: this cannot fail.
		_ = enc.Encode(rescued{
			Outcome: outcome, Cause: fmt.Sprint(cause), StoreID: e.ID.String(), Time: e.Time,
			Event: eventInput{ID: e.ClientID, UserID: e.UserID, Action: e.Action, Metadata: e.Metadata},
		})
	}
	if err := r.append(lines.Bytes()); err != nil {
		r.log.Error("EVENTS NOT STORED, AND NOT SAVED EITHER", "outcome", outcome,
			"events", len(events), "cause", cause, "error", err, "lines", lines.String())
		return
	}
	r.log.Error("EVENTS NOT STORED", "outcome", outcome, "events", len(events),
		"cause", cause, "saved_in", r.path)
}

func (r *rescue) append(lines []byte) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		if r.file, err = os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
	}
	_, err = r.file.Write(lines)
	return errors.Join(err, r.file.Sync())
}

// close closes the file, if there is one.
func (r *rescue) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
