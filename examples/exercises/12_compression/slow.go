package compression

// The slow way, if the network is what is scarce: plain JSON. JSON of many alike items says the same
// again and again: the names of the fields, the beginnings of times and addresses.

import (
	"context"
	"encoding/json"
)

// WriteSlow sends plain JSON.
func (s *Sender) WriteSlow(ctx context.Context, batch []Event) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	return s.post(ctx, "", body)
}
