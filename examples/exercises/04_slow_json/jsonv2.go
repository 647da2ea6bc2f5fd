//go:build goexperiment.jsonv2

package slow_json

// The next encoding/json, as far as the toolchain has it: GOEXPERIMENT=jsonv2.

import (
	"context"
	json "encoding/json/v2"
)

// WriteJSONv2 sends the batch as a JSON array. Version 2 still works by reflection, but does not sort
// maps unless it is asked to (json.Deterministic). With the experiment, version 1 is built on it,
// so WriteSlow and WriteStream are other programs then as well: compare within one build.
func (s *Sender) WriteJSONv2(ctx context.Context, batch []Event) error {
	buf := newBuffer()
	if err := json.MarshalWrite(buf, batch); err != nil {
		buffers.Put(buf)
		return err
	}
	return s.postBuffer(ctx, "application/json", buf)
}
