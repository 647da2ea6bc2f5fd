package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bodies of all kinds: the plain ones, which are read fast, and the others.
var (
	plainBodies = []string{
		goodEvent,
		`{}`,
		` { } `,
		`{"user_id":"u"}`,
		"\t{ \"user_id\" :\r\n\"u\" , \"action\" : \"a\" , \"metadata\" : { \"k\" : \"v\" , \"l\" : \"\" } }\n",
		`{"metadata":{}}`,
		`{"metadata":{"k":"1","k":"2"}}`,
		`{"action":"ü€😀"}`,
		"{\"action\":\"\x7f\"}",
	}
	otherBodies = []string{
		"", " ", "{", "}", "[]", "null", `"u"`, `{"user_id"}`, `{"user_id":}`, `{"user_id":"u"`,
		`{"user_id":"u",}`, `{,"user_id":"u"}`, `{"user_id":"u"}x`, `{"user_id":"u"}{}`, `{}}`,
		`{"user_id":"u" "action":"a"}`, `{"user_id":"a\"b"}`, `{"user_id":"\u0041"}`, "{\"user_id\":\"\n\"}",
		"{\"user_id\":\"\xff\"}", `{"user_id":null}`, `{"user_id":5}`, `{"USER_ID":"u"}`, `{"\u0069d":"x"}`,
		`{"user_id":"u","user_id":"v"}`, `{"metadata":{"a":"1"},"metadata":{"b":"2"}}`, `{"metadata":null}`,
		`{"metadata":[]}`, `{"metadata":{"k":1}}`, `{"metadata":{"k"}}`, `{"metadata":{"k":"v"}`, `{"time":"x"}`,
		`{"id":"x"` + "\x00" + `}`, `{"":"x"}`, `{"user_id":"u"]`, `{"user_id":"u"}` + "\u00a0", "\ufeff{}",
	}
)

func TestPlainBodiesAreReadFastAndOthersAreNot(t *testing.T) {
	for _, body := range plainBodies {
		_, ok := decodePlain(body)
		assert.True(t, ok, body)
	}
	for _, body := range otherBodies {
		_, ok := decodePlain(body)
		assert.False(t, ok, body)
	}
}

// FuzzDecodePlain looks for a body that the fast way reads, and reads otherwise than the other.
func FuzzDecodePlain(f *testing.F) {
	for _, body := range append(plainBodies, otherBodies...) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fast, ok := decodePlain(body)
		if !ok {
			return
		}
		want, err := decodeAny([]byte(body))
		assert.Equal(t, err == nil, fast.validate() == nil) // of two faults either may be told
		assert.Equal(t, want, fast)
	})
}

func TestEveryEventSurvivesBothWays(t *testing.T) {
	for r := range generate("run", 100, 0) {
		r.event.Metadata["n"] = fmt.Sprint(len(r.event.ID))
		body, err := json.Marshal(r.event)
		require.NoError(t, err)
		fast, ok := decodePlain(string(body))
		require.True(t, ok)
		assert.Equal(t, r.event, fast)
		slow, err := decodeAny(body)
		require.NoError(t, err)
		assert.Equal(t, r.event, slow)
	}
}

func TestAnEventIsReadWithFewAllocations(t *testing.T) {
	body := []byte(goodEvent)
	most := 3.0 // the strings, the map, and its first entries
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = decodeEvent(body) }), most)
}
