package main

// Events: what a client may send, what the server adds, and what is refused.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Event is one audit event, as it goes through the batcher and into the store.
type Event struct {
	ID       uuid.UUID // given by the server; what makes a repeated write harmless
	Time     time.Time // given by the server
	ClientID string    // given by the client, to find its event again; may be empty
	UserID   string
	Action   string
	Metadata map[string]string
	Size     int // of the body that it came in, in bytes
}

// newEvent stamps what a client sent in a body of that size. A UUID of version 7
// grows with time, so that rows are appended to the end of the store's index.
func newEvent(in eventInput, size int) (Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, fmt.Errorf("make an id: %w", err)
	}
	return Event{
		ID:       id,
		Time:     time.Now(),
		ClientID: in.ID,
		UserID:   in.UserID,
		Action:   in.Action,
		Metadata: in.Metadata,
		Size:     size,
	}, nil
}

// eventInput is the body of POST /event.
type eventInput struct {
	ID       string            `json:"id,omitempty"`
	UserID   string            `json:"user_id"`
	Action   string            `json:"action"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// The limits of a body and of its fields, in bytes. A metadata value of the
// greatest length fits in a body even if every byte of it is written as \u0000.
const (
	maxBody     = 256 << 10
	maxID       = 128
	maxUserID   = 128
	maxAction   = 64
	maxMetadata = 32 // entries
	maxKey      = 64
	maxValue    = 32 << 10
)

// decodeEvent reads the body of POST /event. Its errors are meant for the client.
func decodeEvent(body []byte) (eventInput, error) {
	if in, ok := decodePlain(string(body)); ok {
		return in, in.validate()
	}
	return decodeAny(body)
}

// decodeAny reads any body, and can say what is wrong with it. It is the one who decides what
// is acceptable; [decodePlain] only takes the usual bodies off it.
func decodeAny(body []byte) (eventInput, error) {
	var in eventInput
	if !utf8.Valid(body) { // encoding/json would put U+FFFD in its place without a word
		return in, errors.New("the body is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return in, explainJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return in, errors.New("the body goes on after the JSON object")
	}
	return in, in.validate()
}

// explainJSON turns what encoding/json says into words for the client.
func explainJSON(err error) error {
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the body is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the body is not JSON: it ends too early")
	case errors.As(err, &mismatch) && mismatch.Field == "":
		return fmt.Errorf("the body is a JSON %s, not an object", mismatch.Value)
	case errors.As(err, &mismatch):
		field, _, _ := strings.Cut(mismatch.Field, ".")
		wanted := "a string"
		if mismatch.Type.Kind() == reflect.Map {
			wanted = "an object"
		}
		return fmt.Errorf("field %q has a JSON %s where %s belongs", field, mismatch.Value, wanted)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return fmt.Errorf("the body is not JSON: %w", err)
}

// validate checks the fields, each in the order of the struct.
func (in *eventInput) validate() error {
	if err := checkText("id", in.ID, 0, maxID); err != nil {
		return err
	}
	if err := checkText("user_id", in.UserID, 1, maxUserID); err != nil {
		return err
	}
	if err := checkText("action", in.Action, 1, maxAction); err != nil {
		return err
	}
	if len(in.Metadata) > maxMetadata {
		return fmt.Errorf("metadata has %d entries, the limit is %d", len(in.Metadata), maxMetadata)
	}
	for key, value := range in.Metadata {
		if err := checkText("a metadata key", key, 1, maxKey); err != nil {
			return err
		}
		if err := checkText("a metadata value", value, 0, maxValue); err != nil {
			return err
		}
	}
	return nil
}

// checkText checks one string. NUL is refused because not every database can
// hold it in a text, and one such event would fail its whole batch.
func checkText(what, text string, least, most int) error {
	switch {
	case text == "" && least > 0:
		return fmt.Errorf("%s is missing or empty", what)
	case len(text) > most:
		return fmt.Errorf("%s is %d bytes long, the limit is %d", what, len(text), most)
	case strings.IndexByte(text, 0) >= 0:
		return fmt.Errorf("%s contains a NUL character", what)
	}
	return nil
}
