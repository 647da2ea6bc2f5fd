package httpsink

// The answer of Elasticsearch and OpenSearch to a bulk request.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/seed-4c1eaf8a/batcher"
)

// ElasticsearchBulk is a function for [WithResults] that reads the answer to a bulk request of
// Elasticsearch, OpenSearch and what else speaks their protocol. Every item has a status:
//
//   - 2xx: it was written;
//   - 409 for a create: it was written before, by an earlier attempt, so it counts as written. This
//     is what makes a bulk of creates with ids of one's own idempotent; see
//     [ElasticsearchBulkStrict] for when it is not wanted;
//   - 429 and 5xx: it is worth another attempt;
//   - anything else: it has failed for good, as when it does not fit the mapping.
//
// The flag "errors" is not believed: only the statuses count. An answer that is not the JSON of a
// bulk answer, or has not exactly one result for each item, fails the batch, unmarked: it did not
// come from the bulk API, and another attempt may reach it. A filter_path in the URL must
// leave the statuses: filter_path=items.*.status,items.*.error.type,items.*.error.reason makes
// the answer much shorter.
//
// The type and the reason that the server gives are part of the errors, at most 512 bytes of them.
// The reason may quote the document.
func ElasticsearchBulk(resp *Response, n int) error { return bulkResults(resp.Body, n, true) }

// ElasticsearchBulkStrict is [ElasticsearchBulk], but 409 fails an item for good, whatever the
// action was.
func ElasticsearchBulkStrict(resp *Response, n int) error { return bulkResults(resp.Body, n, false) }

// bulkAnswer is the part of the answer that counts.
type bulkAnswer struct {
	Items []bulkItem `json:"items"`
}

// bulkItem holds a result under the action that it is of: one of the four.
type bulkItem struct{ Create, Index, Update, Delete *bulkResult }

// bulkResult is what became of one item.
type bulkResult struct {
	Status int             `json:"status"`
	Error  json.RawMessage `json:"error"`
}

// bulkResults judges the answer to a bulk request of n items.
func bulkResults(answer []byte, n int, existsIsWritten bool) error {
	var parsed bulkAnswer
	if err := json.Unmarshal(answer, &parsed); err != nil {
		return fmt.Errorf("not the answer of a bulk request: %w", err)
	}
	if len(parsed.Items) != n {
		return fmt.Errorf("a bulk request of %d items was answered with %d results", n, len(parsed.Items))
	}
	errs := make(map[int]error)
	for i, item := range parsed.Items {
		result, err := item.result()
		if err != nil {
			return fmt.Errorf("result %d of a bulk request %w", i, err)
		}
		exists := item.Create != nil && result.Status == http.StatusConflict
		if exists && existsIsWritten {
			continue
		}
		if err := result.err(); err != nil {
			errs[i] = err
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &batcher.PartialError{Errs: errs}
}

// result returns the one result in i.
func (i *bulkItem) result() (result *bulkResult, err error) {
	for _, r := range []*bulkResult{i.Create, i.Index, i.Update, i.Delete} {
		if r != nil && result != nil {
			return nil, errors.New("is of several actions")
		} else if r != nil {
			result = r
		}
	}
	if result == nil || result.Status < 100 || result.Status > 599 {
		return nil, errors.New("has no status")
	}
	return result, nil
}

// err returns the error of the item, marked, nil if it was written.
func (r *bulkResult) err() error {
	if r.Status >= 200 && r.Status <= 299 {
		return nil
	}
	err := fmt.Errorf("httpsink: bulk: status %d%s", r.Status, r.reason())
	if r.Status == http.StatusTooManyRequests || r.Status >= 500 {
		return err
	}
	return batcher.Permanent(err)
}

// reason returns what the server says about the failure: an object, or, from old servers, a string.
func (r *bulkResult) reason() string {
	var why struct{ Type, Reason string }
	text := string(r.Error)
	if json.Unmarshal(r.Error, &why) == nil && why.Type+why.Reason != "" {
		text = why.Type + ": " + why.Reason
	}
	if text == "" {
		return ""
	}
	return ": " + secrets(nil).excerpt([]byte(text), false)
}
