package httpsink_test

// The answer to a bulk request of Elasticsearch.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

func bulk(body string, n int) error {
	return httpsink.ElasticsearchBulk(&httpsink.Response{Status: 200, Body: []byte(body)}, n)
}

func TestBulkEveryStatusIsTheItemsOwn(t *testing.T) {
	err := bulk(`{"took":1,"errors":true,"items":[
		{"create":{"_index":"i","_id":"1","status":201,"result":"created"}},
		{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}},
		{"index":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"newer"}}},
		{"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to\nparse","caused_by":{"type":"x"}}}},
		{"update":{"status":404,"error":"gone, says an old server"}},
		{"delete":{"status":200}},
		{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue full"}}},
		{"index":{"status":503}}
	]}`, 8)
	var partial *batcher.PartialError
	require.ErrorAs(t, err, &partial)
	for i, want := range map[int]struct{ verdict, text string }{
		2: {"permanent", "httpsink: bulk: status 409: version_conflict_engine_exception: newer"},
		3: {"permanent", "httpsink: bulk: status 400: mapper_parsing_exception: failed to parse"},
		4: {"permanent", `httpsink: bulk: status 404: "gone, says an old server"`},
		6: {"transient", "httpsink: bulk: status 429: es_rejected_execution_exception: queue full"},
		7: {"transient", "httpsink: bulk: status 503"},
	} {
		assert.Equal(t, want.verdict, verdict(partial.Errs[i]))
		assert.EqualError(t, partial.Errs[i], want.text)
	}
	assert.Len(t, partial.Errs, 5)
}

func TestBulkAConflictOfACreateCanBeAFailure(t *testing.T) {
	answer := &httpsink.Response{Status: 200, Body: []byte(`{"errors":true,"items":[{"create":{"status":409}}]}`)}
	assert.NoError(t, httpsink.ElasticsearchBulk(answer, 1))
	var partial *batcher.PartialError
	require.ErrorAs(t, httpsink.ElasticsearchBulkStrict(answer, 1), &partial)
	assert.Equal(t, "permanent", verdict(partial.Errs[0]))
}

func TestBulkTheFlagIsNotBelieved(t *testing.T) {
	assert.NoError(t, bulk(`{"errors":true,"items":[{"index":{"status":200}}]}`, 1))
	assert.Equal(t, "partial", verdict(bulk(`{"errors":false,"items":[{"index":{"status":500}}]}`, 1)))
	assert.NoError(t, bulk(`{"items":[{"index":{"status":200}}]}`, 1), "with a filter_path")
}

func TestF49_BulkAnAnswerThatDoesNotFitFailsTheBatch(t *testing.T) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"ok"`, `<html>`, `{"errors":false}`, `{"errors":false,"items":[]}`,
		`{"items":[{"index":{"status":200}}]}`,
		`{"items":[{"index":{"status":200}},{"index":{"status":200}},{"index":{"status":200}}]}`,
		`{"items":[{"index":{"status":200}},{}]}`,
		`{"items":[{"index":{"status":200}},null]}`,
		`{"items":[{"index":{"status":200}},{"index":null}]}`,
		`{"items":[{"index":{"status":200}},{"index":{}}]}`,
		`{"items":[{"index":{"status":200}},{"index":{"status":"200"}}]}`,
		`{"items":[{"index":{"status":200}},{"index":{"status":2000}}]}`,
		`{"items":[{"index":{"status":200}},{"index":{"status":200},"create":{"status":500}}]}`,
		`{"items":[{"index":{"status":200}},{"index":{"status":200}}]`,
		`{"items":[{"index":{"status":200}},{"index":{"status":200}}]}}`,
	} {
		err := bulk(body, 2)
		if assert.Error(t, err, body) {
			assert.Equal(t, "transient", verdict(err), body)
		}
	}
}

func TestBulkTheReasonIsBounded(t *testing.T) {
	var partial *batcher.PartialError
	body := `{"items":[{"index":{"status":400,"error":{"type":"t","reason":"` + strings.Repeat("é", 10_000) + `"}}}]}`
	require.ErrorAs(t, bulk(body, 1), &partial)
	assert.Less(t, len(partial.Errs[0].Error()), 600)
}

// A bulk index in small: it has documents by id, and refuses some.
type index struct{ docs map[string]string }

func (x *index) answer(w http.ResponseWriter, r *request, n int) {
	lines := strings.Split(strings.TrimSuffix(r.body, "\n"), "\n")
	type result map[string]map[string]any
	var items []result
	for i := 0; i+1 < len(lines); i += 2 {
		var action struct {
			Create struct {
				ID string `json:"_id"`
			}
		}
		_ = json.Unmarshal([]byte(lines[i]), &action)
		id, code := action.Create.ID, 201
		_, exists := x.docs[id]
		switch {
		case exists:
			code = 409
		case strings.Contains(lines[i+1], "bad"):
			code = 400
		case n == 1 && i%4 == 2:
			code = 429
		default:
			x.docs[id] = lines[i+1]
		}
		items = append(items, result{"create": {"_id": id, "status": code}})
	}
	if n == 2 { // it was stored, but nobody is told
		w.WriteHeader(502)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": true, "items": items})
}

func TestBulkThroughABatcherEachDocumentIsStoredOnceOrGivenUp(t *testing.T) {
	x := &index{docs: make(map[string]string)}
	_, url := record(t, x.answer)
	encode := httpsink.WithEncoder("application/x-ndjson", func(dst []byte, e event) ([]byte, error) {
		if e.Name == "unencodable" {
			return nil, errDown
		}
		return fmt.Appendf(dst, "{\"create\":{\"_id\":\"%d\"}}\n{\"name\":%q}\n", e.ID, e.Name), nil
	})
	sink := open[event](t, url+"/_bulk", encode, httpsink.WithResults(httpsink.ElasticsearchBulk))
	var given []int
	b := batcherTo(t, sink, batcher.WithDeadLetter(func(_ context.Context, l batcher.DeadLetter[event]) {
		for _, item := range l.Items {
			given = append(given, item.ID)
		}
	}))
	err := addAll(t, b, event{ID: 0}, event{ID: 1, Name: "unencodable"}, event{ID: 2}, event{ID: 3, Name: "bad"}, event{ID: 4})
	assert.Error(t, err)
	assert.ElementsMatch(t, []int{1, 3}, given)
	assert.Len(t, x.docs, 3)
	for _, id := range []string{"0", "2", "4"} {
		assert.Contains(t, x.docs, id)
	}
}

func FuzzElasticsearchBulk(f *testing.F) {
	f.Add([]byte(`{"errors":true,"items":[{"create":{"status":201}},{"index":{"status":429,"error":{"type":"t","reason":"r"}}}]}`), 2)
	f.Add([]byte(`{"items":[{"index":{"status":404,"error":"x"}}]}`), 1)
	f.Add([]byte(`{"items":[null,{"index":null}]}`), 2)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		err := bulk(string(body), n)
		var partial *batcher.PartialError
		if !errors.As(err, &partial) {
			if err == nil && n != 0 {
				var answer struct{ Items []any }
				require.NoError(t, json.Unmarshal(body, &answer))
				require.Len(t, answer.Items, n, "written without a result for each")
			}
			return
		}
		require.NotEmpty(t, partial.Errs)
		for i, err := range partial.Errs {
			require.Error(t, err)
			require.True(t, 0 <= i && i < n)
			require.Less(t, len(err.Error()), 600)
		}
	})
}
