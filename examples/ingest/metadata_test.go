package main

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzMetadataIsWrittenAsEncodingJSONReadsIt(f *testing.F) {
	f.Add("ip", "10.0.0.1", "", "")
	f.Add("\"quoted\"", "back\\slash", "control\x01\x1f\n", "\x7f ü 😀 \u2028 <>&")
	f.Fuzz(func(t *testing.T, key, value, otherKey, otherValue string) {
		for _, text := range []string{key, value, otherKey, otherValue} {
			if !utf8.ValidString(text) {
				t.Skip("refused at the door")
			}
		}
		for _, metadata := range []map[string]string{
			{}, {key: value}, {key: value, otherKey: otherValue},
		} {
			text := appendMetadata([]byte("before"), metadata)
			var got map[string]string
			require.NoError(t, json.Unmarshal(text[len("before"):], &got), "%s", text)
			assert.Equal(t, metadata, got)
		}
	})
}

func TestMetadataIsWrittenWithoutAllocations(t *testing.T) {
	metadata := map[string]string{"ip": "10.0.0.1", "agent": `a "quoted" one`}
	to := make([]byte, 0, 1<<10)
	assert.Zero(t, testing.AllocsPerRun(100, func() { to = appendMetadata(to[:0], metadata) }))
	assert.Equal(t, "{}", string(appendMetadata(nil, nil)))
}
