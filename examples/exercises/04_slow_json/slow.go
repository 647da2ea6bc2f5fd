package slow_json

// The slow way: json.Marshal for each batch.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
)

// WriteSlow sends the batch as a JSON array. What it costs:
//
//   - json.Marshal walks each item by reflection, and sorts the keys of each map, which it has
//     to collect for that; nearly all allocations are these;
//   - it encodes into a pooled buffer of its own, and then copies all of it to a fresh slice, which
//     is garbage as soon as the request is over;
//   - one item that cannot be encoded fails the batch, with all the others in it.
func (s *Sender) WriteSlow(ctx context.Context, batch []Event) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	return s.post(ctx, "application/json", io.NopCloser(bytes.NewReader(body)), len(body))
}
