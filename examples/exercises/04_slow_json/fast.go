package slow_json

// The fast way: an encoder that appends, and package sink/httpsink around it.

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// NewFast returns a sink whose Write is the flush function. It takes the encoder of one item
// (sink/httpsink/encoding.go) and does the rest: the pooled body that goes back when net/http has let
// go of it (body.go), the framing, the marks for what the server answers (answer.go). An item
// that cannot be encoded fails alone.
func NewFast(client *http.Client, url string) (*httpsink.Sink[Event], error) {
	return httpsink.New[Event](url, httpsink.WithClient(client), httpsink.WithJSONEncoder(appendEvent))
}

// NewDefault is the sink with its own encoder, which is encoding/json.
func NewDefault(client *http.Client, url string) (*httpsink.Sink[Event], error) {
	return httpsink.New[Event](url, httpsink.WithClient(client))
}

// appendEvent appends the JSON of e. It allocates nothing while there is room in dst: no value goes
// through an interface, and the map is written in the order in which it comes. Who compresses
// the body may want the keys in one order, since that compresses better.
func appendEvent(dst []byte, e Event) ([]byte, error) {
	dst = appendString(append(dst, `{"user_id":`...), e.UserID)
	dst = appendString(append(dst, `,"action":`...), e.Action)
	dst, err := e.Time.AppendText(append(dst, `,"time":"`...))
	if err != nil {
		return nil, err
	}
	dst = append(dst, '"')
	if len(e.Metadata) > 0 {
		dst = appendMap(append(dst, `,"metadata":`...), e.Metadata)
	}
	return append(dst, '}'), nil
}

func appendMap(dst []byte, m map[string]string) []byte {
	before := byte('{')
	for key, value := range m {
		dst = appendString(append(dst, before), key)
		dst = appendString(append(dst, ':'), value)
		before = ','
	}
	return append(dst, '}')
}

// appendString appends s as JSON. Most strings are plain; the rest is left to encoding/json, so that
// escapes are nobody's business here.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
